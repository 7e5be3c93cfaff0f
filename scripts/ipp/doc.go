// Package ipp runs CUPS's own conformance suites (ipptool) against the session's
// printer, which hands every job on to a real one (ippeveprinter). make ipp
// prints each suite's numbers.
package ipp
