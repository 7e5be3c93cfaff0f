// Package simyear lets a school year pass at fifty places on a virtual clock,
// through the parts that decide: the hours' evaluator, the session's machine
// and the energy plan, as they run on a terminal. What should be open is said a
// second time, by hand, in plain Go (see places_test.go). Run it with -v for the
// table of what was saved.
package simyear
