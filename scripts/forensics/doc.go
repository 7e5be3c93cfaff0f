// Package forensics holds no code: its tests plant unique canaries wherever a
// session may leave something, end the session in every way, and then search
// every writable file system, the state of agent and controller down to their
// deleted blocks, and the memory of every living process. See README.md.
package forensics
