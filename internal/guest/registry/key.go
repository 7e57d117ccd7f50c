package registry

import (
	"cmp"
	"fmt"
	"strings"
)

// Offsets in the cell of a key.
const (
	keyFlags   = 2
	keySubkeys = 20 // count
	keyList    = 28 // cell of the list of subkeys
	keyValues  = 36 // count
	keyVector  = 40 // cell of the list of values
	keyNameLen = 72
	keyName    = 76

	// narrowName is the flag of a key whose name has one byte for each character.
	narrowName = 0x20
	maxKeyName = 2 * 256 // bytes
)

// key is the cell of a key.
type key struct {
	name    string
	subkeys uint32
	list    uint32
	values  uint32
	vector  uint32
}

func (h *Hive) key(at uint32) (key, error) {
	c, err := h.cell(at, keyName, keyName+maxKeyName)
	if err != nil {
		return key{}, err
	}
	n := u16(c[keyNameLen:])
	if string(c[:2]) != "nk" || n > len(c)-keyName {
		return key{}, fmt.Errorf("%w: the cell at %d is not a key", ErrDamaged, at)
	}
	return key{
		name:    decodeName(c[keyName:keyName+n], u16(c[keyFlags:])&narrowName != 0),
		subkeys: u32(c[keySubkeys:]), list: u32(c[keyList:]),
		values: u32(c[keyValues:]), vector: u32(c[keyVector:]),
	}, nil
}

// Keys returns the names of the subkeys of a key, none where it is missing. A path has
// backslashes between its names; that of the root is empty.
func (h *Hive) Keys(path string) (names []string, err error) {
	k, _, err := h.find(path)
	if err != nil || k == nil {
		return nil, h.wrap(err)
	}
	err = h.each(*k, func(sub key) bool {
		names = append(names, sub.name)
		return true
	})
	return names, h.wrap(err)
}

// Below passes each subkey of a key to see, with the value of that name that it has.
func (h *Hive) Below(path, name string, see func(sub string, v Value, ok bool)) error {
	k, _, err := h.find(path)
	if err != nil || k == nil {
		return h.wrap(err)
	}
	var problem error
	left := int64(maxKeys) // values of all of them
	err = h.each(*k, func(sub key) bool {
		var v Value
		var ok bool
		if left -= int64(sub.values); left < 0 {
			problem = fmt.Errorf("%w: the subkeys of %.40q have more than %d values", ErrDamaged, k.name, maxKeys)
		} else if v, ok, problem = h.named(sub, name); problem == nil {
			see(sub.name, v, ok)
		}
		return problem == nil
	})
	return h.wrap(cmp.Or(err, problem))
}

// find returns the key at a path, nil if it is missing, and of its names those that are
// there, as the hive has them.
func (h *Hive) find(path string) (k *key, names []string, err error) {
	at, err := h.key(h.top)
	if err != nil {
		return nil, nil, err
	}
	for name := range strings.SplitSeq(path, `\`) {
		if name == "" {
			continue
		}
		next, err := h.subkey(at, name)
		if err != nil || next == nil {
			return nil, names, err
		}
		at, names = *next, append(names, next.name)
	}
	return &at, names, nil
}

// subkey returns the subkey of that name, nil for none.
func (h *Hive) subkey(k key, name string) (found *key, err error) {
	err = h.each(k, func(sub key) bool {
		if strings.EqualFold(sub.name, name) {
			found = &sub
		}
		return found == nil
	})
	return found, err
}

// each passes the subkeys of k to see until that has seen enough.
func (h *Hive) each(k key, see func(key) bool) error {
	if k.subkeys == 0 {
		return nil
	}
	lists, err := h.leaves(k.list)
	if err != nil {
		return err
	}
	left := maxKeys
	for _, at := range lists {
		keys, err := h.leaf(at)
		if err != nil {
			return err
		}
		if left -= len(keys); left < 0 {
			return fmt.Errorf("%w: a key has more than %d subkeys", ErrDamaged, maxKeys)
		}
		for _, at := range keys {
			sub, err := h.key(at)
			if err != nil {
				return err
			}
			if !see(sub) {
				return nil
			}
		}
	}
	return nil
}

// leaves returns the cells of the lists behind the list at an offset: itself, unless it is
// one of lists.
func (h *Hive) leaves(at uint32) ([]uint32, error) {
	c, err := h.cell(at, 4, maxCell)
	if err != nil {
		return nil, err
	}
	if string(c[:2]) != "ri" {
		return []uint32{at}, nil
	}
	return entries(c, at, 4)
}

// leaf returns the cells of the keys in the list at an offset. Of its three kinds, two
// have beside each the beginning or a hash of its name.
func (h *Hive) leaf(at uint32) ([]uint32, error) {
	c, err := h.cell(at, 4, maxCell)
	if err != nil {
		return nil, err
	}
	switch string(c[:2]) {
	case "lf", "lh":
		return entries(c, at, 8)
	case "li":
		return entries(c, at, 4)
	}
	return nil, fmt.Errorf("%w: the cell at %d is not a list of keys", ErrDamaged, at)
}

// entries returns the offsets in a list whose entries have size bytes.
func entries(c []byte, at uint32, size int) ([]uint32, error) {
	n := u16(c[2:])
	if n*size > len(c)-4 {
		return nil, fmt.Errorf("%w: the list at %d has %d entries, more than its cell holds", ErrDamaged, at, n)
	}
	cells := make([]uint32, n)
	for i := range cells {
		cells[i] = u32(c[4+i*size:])
	}
	return cells, nil
}

// ControlSet returns the key of the hive SYSTEM with the configuration that the system starts
// with: that which Select\Current names, or else the first.
func (h *Hive) ControlSet() (string, error) {
	v, _, err := h.Value("Select", "Current")
	if err != nil {
		return "", err
	}
	n, ok := v.Number()
	if !ok {
		n = 1
	}
	name := fmt.Sprintf("ControlSet%03d", n)
	switch k, _, err := h.find(name); {
	case err != nil:
		return "", h.wrap(err)
	case k == nil:
		return "", h.wrap(fmt.Errorf("%w: it has no key %s, with which the system is to start", ErrDamaged, name))
	}
	return name, nil
}
