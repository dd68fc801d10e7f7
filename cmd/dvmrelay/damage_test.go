package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"dvmrelay/config"
	"dvmrelay/control"
	"dvmrelay/index"
	"dvmrelay/store"

	"github.com/dgraph-io/badger/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// What the stories do to a data directory that no part of the program would.

// cmdDamage removes the first row of a table: damage NAME TABLE, the table as its letter or as two hex digits. No relay may
// run.
func cmdDamage(ts *testscript.TestScript, _ bool, args []string) {
	table := []byte(args[1])
	if n, err := strconv.ParseUint(args[1], 16, 8); err == nil && len(args[1]) == 2 {
		table = []byte{byte(n)}
	}
	ts.Check(rewrite(ts.MkAbs(args[0]), table, func(key, _ []byte) (value []byte, more bool) { return nil, false }))
}

// cmdOlder makes of the facts of feedbacks what a parser that did not read their status would have left, where
// the body is still here to be read again: older NAME.
func cmdOlder(ts *testscript.TestScript, _ bool, args []string) {
	const status, flags, kind = 2, 4, 5
	n := 0
	ts.Check(rewrite(ts.MkAbs(args[0]), []byte{'f'}, func(_, value []byte) ([]byte, bool) {
		if value[kind] == 7000>>8 && value[kind+1] == 7000&0xff && value[status] != 0 && value[flags]&byte(store.FactBody) != 0 {
			value[status] = 0
			n++
		}
		return value, true
	}))
	if n == 0 {
		ts.Fatalf("%s has no feedback with a status", args[0])
	}
}

// rewrite gives change every row of a table until it wants no more, and writes what it makes of them; nil removes a row.
func rewrite(dir string, table []byte, change func(key, value []byte) ([]byte, bool)) (err error) {
	db, err := badger.OpenManaged(badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	version := db.MaxVersion()
	txn := db.NewTransactionAt(version, true)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{Prefix: table})
	rows := 0
	for it.Rewind(); it.Valid(); it.Next() {
		rows++
		key := it.Item().KeyCopy(nil)
		old, err := it.Item().ValueCopy(nil)
		if err != nil {
			it.Close()
			return err
		}
		value, more := change(key, bytes.Clone(old))
		switch {
		case value == nil:
			err = txn.Delete(key)
		case !bytes.Equal(value, old):
			err = txn.Set(key, value)
		}
		if err != nil {
			it.Close()
			return err
		}
		if !more {
			break
		}
	}
	it.Close()
	if rows == 0 {
		return fmt.Errorf("table %x is empty", table)
	}
	return txn.CommitAt(version+1, nil)
}

// cmdDump writes the thread of every real event that is known, and the counts of all time: dump NAME FILE. It asks the
// relay that runs, or the data directory when none does.
func cmdDump(ts *testscript.TestScript, _ bool, args []string) {
	var out bytes.Buffer
	ctx := context.Background()
	ask := func(v control.Verbs) {
		for line := range bytes.Lines(readFile(ts, filepath.Join(ts.Getenv("DATA"), "real-events.jsonl"))) {
			evt, err := readEvent(line)
			ts.Check(err)
			raw, err := v.Thread(ctx, evt.ID)
			if errors.Is(err, control.ErrNotFound) {
				raw, err = []byte("none"), nil
			}
			ts.Check(err)
			fmt.Fprintf(&out, "%s %s\n", evt.ID, timeless(ts, raw))
		}
		raw, err := v.Stats(ctx, url.Values{"since": {"1"}, "until": {"1900000000"}})
		ts.Check(err)
		var members map[string]json.RawMessage
		ts.Check(json.Unmarshal(raw, &members))
		// Not of the facts: how often sealed hours were changed, when hours that are made anew never were; and what was
		// listened to, which is more by the second.
		for _, name := range []string{"late", "coverage", "gaps", "observed_since"} {
			delete(members, name)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if name != "series" && name != "imported" { // which are told by what was listened to
				fmt.Fprintf(&out, "%s %s\n", name, members[name])
			}
		}
	}
	dir := ts.MkAbs(args[0])
	if client, err := control.Dial(ctx, dir); err == nil {
		ask(client)
		client.Close()
	} else {
		s, err := store.Open(store.Options{Dir: dir})
		ts.Check(err)
		ask(&control.Local{Store: s, Index: index.New(config.Default().Index)})
		ts.Check(s.Close())
	}
	writeFile(ts, args[1], out.String())
}

// timeless is a thread without the sentences that say how long ago something was.
func timeless(ts *testscript.TestScript, raw json.RawMessage) string {
	var members map[string]any
	if json.Unmarshal(raw, &members) != nil {
		return string(raw)
	}
	if list, ok := members["why"].([]any); ok {
		for i := range list {
			if why, ok := list[i].(map[string]any); ok {
				list[i] = why["code"]
			}
		}
	}
	b, err := json.Marshal(members)
	ts.Check(err)
	return string(b)
}

func readFile(ts *testscript.TestScript, name string) []byte {
	b, err := os.ReadFile(name)
	ts.Check(err)
	return b
}
