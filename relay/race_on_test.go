//go:build race

package relay_test

// manyEvents are fewer where each costs ten times as much.
const manyEvents = 3000
