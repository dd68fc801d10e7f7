package main

import "testing"

func TestBar_IsAsWideWhateverIsDone(t *testing.T) {
	for done, want := range map[float64]string{
		-1: "", 0: "", 0.004: "[    ]   0 %  ", 0.5: "[==  ]  50 %  ", 0.999: "[=== ]  99 %  ", 1: "[====] 100 %  ", 7: "[====] 100 %  ",
	} {
		if got := bar(done, 4); got != want {
			t.Errorf("%v: %q, want %q", done, got, want)
		}
	}
}

func TestByteSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 5 << 40: "5.0 TiB", 1 << 60: "1048576.0 TiB"} {
		if got := byteSize(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}
