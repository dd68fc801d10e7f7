package config

import (
	"reflect"
	"strings"

	"dvmrelay/policies"
)

// entry is one key of the configuration and the field that holds its value.
type entry struct {
	key   string // "mirror.backfill"
	value reflect.Value
}

// entries are all keys of a configuration in the order of its sections.
func entries(c *Config) []entry {
	var out []entry
	sections := reflect.ValueOf(c).Elem()
	for i := range sections.NumField() {
		section, ok := tomlName(sections.Type().Field(i))
		if !ok {
			continue
		}
		fields := sections.Field(i)
		for j := range fields.NumField() {
			if name, ok := tomlName(fields.Type().Field(j)); ok {
				out = append(out, entry{section + "." + name, fields.Field(j)})
			}
		}
	}
	return out
}

func tomlName(f reflect.StructField) (string, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
	return name, f.IsExported() && name != "" && name != "-"
}

// lookup finds a field by its key.
func lookup(list []entry, key string) (entry, bool) {
	for _, e := range list {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}

// sectionNames are the names of all sections, once each.
func sectionNames(list []entry) []string {
	var names []string
	for _, e := range list {
		section, _, _ := strings.Cut(e.key, ".")
		if len(names) == 0 || names[len(names)-1] != section {
			names = append(names, section)
		}
	}
	return names
}

// nearestKey is the key that was probably meant: one of the same name in another section, else the nearest spelling.
func nearestKey(list []entry, key string) string {
	section, name, dotted := strings.Cut(key, ".")
	if !dotted {
		name = section
	}
	var all []string
	for _, e := range list {
		if _, has, _ := strings.Cut(e.key, "."); has == name {
			return e.key
		}
		all = append(all, e.key)
	}
	if !dotted {
		return nearestByName(all, name)
	}
	return policies.Nearest(key, all)
}

// nearestByName compares a name with the second half of every key.
func nearestByName(all []string, name string) string {
	names := make([]string, len(all))
	for i, key := range all {
		_, names[i], _ = strings.Cut(key, ".")
	}
	best := policies.Nearest(name, names)
	for i, n := range names {
		if n == best {
			return all[i]
		}
	}
	return ""
}
