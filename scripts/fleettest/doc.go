// Package fleettest holds no code: its tests run a real controller and a fleet
// of real agents in one process, in bad weather, and recount afterwards from
// the terminals' own journals and wardens what the controller says it knows.
package fleettest
