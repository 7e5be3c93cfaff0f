package warden

// space is a namespace of a sandbox.
type space struct {
	kind string
	// until is when its first process died, in ticks since boot; 0 while it
	// lives. The kernel soon gives the number of a namespace that is gone to
	// another one: what began since then lives in that one.
	until uint64
	mount uint64 // of a mount namespace, see box.mount
}

// spacesOf maps the identities of boxes' namespaces, those that the warden
// lives in itself left out.
func (w *warden) spacesOf(boxes []*box) map[string]space {
	ids := map[string]space{}
	all := boxes
	for _, b := range boxes {
		if b.asker != nil {
			all = append(all[:len(all):len(all)], b.asker)
		}
	}
	for _, b := range all {
		for kind, id := range b.ns {
			if id == "" || id == w.own(kind) {
				continue
			}
			// Two sandboxes may have had one number, one after the other: the
			// one that lives, or died last, counts.
			s, until := ids[id], b.ended.Load()
			if s.kind == "" || until == 0 || s.until != 0 && until > s.until {
				ids[id] = space{kind, until, b.mount}
			}
		}
	}
	return ids
}

// holds tells whether process pid, found with the namespace's number, can have
// been in it. A tick is long: what began in the very one is judged by its uid
// and its mounts, as everything is.
func (s space) holds(pid int) bool {
	if s.until == 0 {
		return true
	}
	if s.kind == "mnt" && s.mount != 0 {
		// Services with a mount namespace of their own start at any time, even between
		// a sandbox's end and its being seen.
		if id := mountNamespace(pid); id != 0 {
			return id == s.mount
		}
	}
	began, err := startTime(pid)
	return err != nil && !gone(err) || err == nil && began < s.until
}
