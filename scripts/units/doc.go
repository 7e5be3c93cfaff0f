// Package units holds no code: its tests measure the shipped systemd units, and
// start the terminal's under a systemd of their own, with the real program.
package units
