// Package kills holds no code: its tests kill the real agent, the real warden
// and the real controller in every state that a terminal goes through, and look
// each time for a clean receipt and for what was left.
package kills
