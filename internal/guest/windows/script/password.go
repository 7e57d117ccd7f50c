package script

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"snf-image/internal/spec"
)

// maxPassword is how many characters of UTF-16 a password has at most, as the dialogues of
// Windows take it; maxAccount is that of the name of a local account.
const (
	maxPassword = 127
	maxAccount  = 20
)

// SetPasswords returns the script that gives accounts a password, makes them active, and has
// them never expire. What is not ASCII needs PowerShell, which old systems do not have.
func SetPasswords(users []string, password spec.Secret, old bool) ([]byte, error) {
	var b strings.Builder
	b.WriteString(head)
	for n, user := range users {
		variables, line, err := setPassword(user, password.Reveal(), old)
		if err != nil {
			return nil, fmt.Errorf("the password of account %q: %w", user, err)
		}
		b.WriteString(account + base64Wide(user) + "\n")
		fmt.Fprintf(&b, "%s<nul >nul 2>&1 %s\n", variables, line)
		fmt.Fprintf(&b, "if errorlevel 1 >>%s echo %%DATE%% %%TIME%% the password of account %d of USERS was not set\n", logVariable, n+1)
	}
	b.WriteString(last + "\n")
	return windows(b.String()), nil
}

// What stands before the lines for an account, with its name in base64, and what ends the script.
const (
	account = "rem snf-image: account "
	last    = "exit /b 0"
)

// AddPasswords returns a script of SetPasswords that also does what a former one does for
// accounts that the new one does not name.
func AddPasswords(script, former []byte) []byte {
	head, lines, names := accountsOf(script)
	_, others, order := accountsOf(former)
	text := head
	for _, name := range order {
		if !slices.Contains(names, name) {
			text += others[name]
		}
	}
	for _, name := range names {
		text += lines[name]
	}
	return windows(text + last + "\n")
}

// accountsOf returns what a script begins with, and its lines for each account, in order, by
// the account's name in lower case.
func accountsOf(script []byte) (head string, lines map[string]string, names []string) {
	lines = map[string]string{}
	name := ""
	for line := range strings.Lines(strings.ReplaceAll(string(script), "\r\n", "\n")) {
		text := strings.TrimSuffix(line, "\n")
		if encoded, ok := strings.CutPrefix(text, account); ok {
			if name = strings.ToLower(fromWide(encoded)); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		switch {
		case text == last:
		case len(names) == 0:
			head += text + "\n"
		default:
			lines[name] += text + "\n"
		}
	}
	return head, lines, names
}

// byPowerShell sets the password that variables hold. It is the same for each account:
// Windows keeps the command lines of PowerShell in its event log, and may keep its scripts.
const byPowerShell = `$ErrorActionPreference='Stop'
function Text($wide) { [Text.Encoding]::Unicode.GetString([Convert]::FromBase64String($wide)) }
$name = Text "$env:SNF_NAME"
([ADSI]('WinNT://./'+$name+',user')).SetPassword((Text "$env:SNF_PASSWORD"))
& "$env:SystemRoot\System32\net.exe" user $name ` + accountFlags + `
exit $LASTEXITCODE
`

const accountFlags = "/ACTIVE:YES /EXPIRES:NEVER /PASSWORDREQ:YES /Y"

// setPassword returns the line that gives an account its password, and the lines before it
// with the variables that it needs.
func setPassword(user, password string, old bool) (variables, line string, err error) {
	if err := checkAccount(user); err != nil {
		return "", "", err
	}
	if err := checkPassword(password); err != nil {
		return "", "", err
	}
	if plain(user) && plain(password) && !command(password) {
		return "", `"%SystemRoot%\System32\net.exe" user ` + argument(user) + " " + argument(password) + " " + accountFlags, nil
	}
	if old {
		return "", "", fmt.Errorf("%w: on Windows XP and 2003 it has to be of ASCII characters, must not begin with a slash, and is neither * nor ?", ErrUnquotable)
	}
	return fmt.Sprintf("set SNF_NAME=%s\nset SNF_PASSWORD=%s\n", base64Wide(user), base64Wide(password)), encodedCommand(byPowerShell), nil
}

// command reports whether net.exe takes a password for something else: an option, a question,
// or the wish to be asked for it.
func command(password string) bool {
	return strings.HasPrefix(password, "/") || password == "*" || password == "?"
}

// checkAccount refuses what cannot be the name of a local account.
func checkAccount(name string) error {
	switch {
	case strings.TrimSpace(name) == "", strings.Trim(name, ". ") == "", len(utf16.Encode([]rune(name))) > maxAccount,
		strings.ContainsAny(name, `"/\[]:;|=,+*?<>@`), !utf8.ValidString(name), strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("this is not the name of an account of Windows")
	}
	return nil
}

// checkPassword refuses what no account can have.
func checkPassword(password string) error {
	switch {
	case !utf8.ValidString(password), strings.ContainsFunc(password, unicode.IsControl):
		return fmt.Errorf("%w: it has control characters, or is not UTF-8", ErrUnquotable)
	case len(utf16.Encode([]rune(password))) > maxPassword:
		return fmt.Errorf("%w: it has more than %d characters", ErrUnquotable, maxPassword)
	}
	return nil
}
