package shellfile

import (
	"errors"
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// expand returns the value of a word of literals, quotes and ${NAME}.
func (f *file) expand(word *syntax.Word) (string, error) {
	if word == nil {
		return "", nil
	}
	if strings.HasPrefix(word.Lit(), "~") {
		return "", errors.New("~ is not expanded, write the directory")
	}
	if err := f.check(word.Parts); err != nil {
		return "", err
	}
	return expand.Literal(&expand.Config{Env: expand.FuncEnviron(func(name string) string {
		v, _ := f.Value(name)
		return v
	})}, word)
}

// check refuses everything that would run a program, look at files or depend
// on the environment.
func (f *file) check(parts []syntax.WordPart) error {
	for _, part := range parts {
		switch x := part.(type) {
		case *syntax.Lit, *syntax.SglQuoted:
		case *syntax.DblQuoted:
			if err := f.check(x.Parts); err != nil {
				return err
			}
		case *syntax.ParamExp:
			if err := f.checkReference(x); err != nil {
				return err
			}
		case *syntax.CmdSubst, *syntax.ProcSubst:
			return errors.New("commands are never run, write the value itself")
		default:
			return errors.New("only text, quotes and ${NAME} are allowed")
		}
	}
	return nil
}

// checkReference wants a plain ${NAME} or $NAME of a name that has a value.
func (f *file) checkReference(x *syntax.ParamExp) error {
	if x.Param == nil || x.Excl || x.Length || x.Width || x.IsSet || x.Index != nil ||
		x.Slice != nil || x.Repl != nil || x.Exp != nil || x.Names != 0 || x.NestedParam != nil || len(x.Modifiers) > 0 {
		return errors.New("only plain ${NAME} is expanded")
	}
	if _, ok := f.Value(x.Param.Value); !ok {
		return fmt.Errorf("${%s} is not set before this line", x.Param.Value)
	}
	return nil
}
