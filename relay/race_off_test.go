//go:build !race

package relay_test

const manyEvents = 20_000
