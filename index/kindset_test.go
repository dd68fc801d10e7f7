package index

import (
	"slices"
	"testing"
)

func TestKindSet(t *testing.T) {
	s := kindSetOf([]int{5999, 5000, 5100, 5100, 7000, 6100, 1, -1, 65535, 5666})
	if got, want := s.list(), []int{5000, 5100, 5999}; !slices.Equal(got, want) || s.len() != 3 {
		t.Errorf("got %v, want %v", got, want)
	}
	for k, want := range map[int]bool{5000: true, 5999: true, 5001: false, 5666: false, 6000: false, 6024: false, 4999: false, -1: false, 1 << 20: false} {
		if s.has(k) != want {
			t.Errorf("has %d: got %t, want %t", k, !want, want)
		}
	}
	o := kindSetOf([]int{5100, 5300})
	for name, c := range map[string]struct {
		got  kindSet
		want []int
	}{
		"both":   {s.within(o), []int{5100}},
		"either": {s.with(o), []int{5000, 5100, 5300, 5999}},
		"rest":   {s.without(o), []int{5000, 5999}},
		"none":   {kindSet{}, []int{}},
	} {
		if got := c.got.list(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
