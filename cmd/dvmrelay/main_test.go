package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"dvmrelay": main})
}

// TestStories plays testdata/script/*.txtar with the real program: one readable script a story.
func TestStories(t *testing.T) {
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATA", data)
			env.Setenv("DVMRELAY_MIRROR_UPSTREAMS", "")
			env.Setenv("DVMRELAY_OPS_LISTEN", "")
			env.Vars = append(env.Vars, noRaceSleep)
			env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
			env.Values[hubsKey{}] = newHubs()
			env.Defer(func() { env.Values[hubsKey{}].(*hubs).killAll() })
			return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"alike":    cmdAlike,
			"hub":      cmdHub,
			"kill9":    cmdKill9,
			"end":      cmdStop, // not stop, which ends a story in testscript itself
			"hup":      cmdHup,
			"publish":  cmdPublish,
			"req":      cmdReq,
			"get":      cmdGet,
			"await":    cmdAwait,
			"split":    cmdSplit,
			"awaitlog": cmdAwaitLog,
			"exits":    cmdExits,
			"same":     cmdSame,
			"threads":  cmdThreads,
			"sign":     cmdSign,
			"damage":   cmdDamage,
			"older":    cmdOlder,
			"dump":     cmdDump,
			"newer":    cmdNewer,
		},
	})
}
