package hw

// String returns the health's name in English, for logs.
func (h Health) String() string {
	switch h {
	case Absent:
		return "absent"
	case Opening:
		return "opening"
	case Ready:
		return "ready"
	case Degraded:
		return "degraded"
	case Faulted:
		return "faulted"
	}
	return "invalid"
}

// String returns "on", "off" or "unknown".
func (l Level) String() string {
	switch l {
	case Off:
		return "off"
	case On:
		return "on"
	}
	return "unknown"
}
