package hw

import "errors"

// Errors that a driver wraps so that callers can tell what happened.
var (
	// ErrAbsent: the device is not there (no node, nothing answers on the bus).
	ErrAbsent = errors.New("device absent")
	// ErrClosed: the device was closed by its owner.
	ErrClosed = errors.New("device closed")
)
