// Package warden is the root role of the terminal: it makes sandboxes, destroys
// them, examines what is left from outside, and signs what it found. It has no
// network of its own and trusts nobody: only constants of its own choosing
// reach a command line, a path or a uid.
//
// One process holds the role: Run. It starts the agent (unprivileged), serves
// its verbs (package kiosk/sandbox), and starts each sandbox's PID 1, which is
// this same binary in another role (InitMain). Everything below dies with it.
package warden
