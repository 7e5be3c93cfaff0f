package pdf

// node is a node of the page tree whose children are being visited.
type node struct {
	number int // 0: it has none
	kids   array
}

// walk counts the leaves of the page tree (7.7.3.2). It keeps its own stack: a
// tree may be as deep as it likes.
func (d *document) walk(most int) (int, error) {
	root, err := d.dict(d.root)
	if err != nil {
		return 0, err
	}
	if root["Pages"] == nil {
		return 0, ErrBroken
	}
	var (
		n       int
		pending = 1
		path    []node
		above   = map[int]bool{} // numbers on path
		todo    = node{kids: array{root["Pages"]}}
	)
	for visits := 0; ; visits++ {
		for len(todo.kids) == 0 {
			delete(above, todo.number)
			if len(path) == 0 {
				if n == 0 {
					return 0, ErrBroken
				}
				return n, nil
			}
			todo, path = path[len(path)-1], path[:len(path)-1]
		}
		if visits == maxVisits {
			return 0, ErrBroken
		}
		kid := todo.kids[0]
		todo.kids = todo.kids[1:]
		pending--
		r, _ := kid.(ref)
		if above[int(r)] && r != 0 {
			return 0, ErrBroken // its own ancestor
		}
		m, err := d.dict(kid)
		if err != nil {
			return 0, err
		}
		kids, isNode, err := d.kids(m)
		if err != nil {
			return 0, err
		}
		if !isNode {
			if n++; n > most {
				return 0, ErrTooMany
			}
			continue
		}
		// Those that wait are held: a tree of nodes with ever more children
		// would be without end.
		if pending += len(kids); pending > maxPending*most {
			return 0, ErrTooMany
		}
		path = append(path, todo)
		todo = node{int(r), kids}
		above[todo.number] = true
	}
}

// kids tells a node from a page. Readers differ about what says both, so that
// is refused: what is counted must be what is printed.
func (d *document) kids(m dict) (kids array, isNode bool, err error) {
	kind, err := d.resolve(m["Type"])
	if err != nil {
		return nil, false, err
	}
	v, err := d.resolve(m["Kids"])
	if err != nil {
		return nil, false, err
	}
	switch v := v.(type) {
	case array:
		if kind == name("Page") {
			return nil, false, ErrBroken
		}
		return v, true, nil
	case nil:
		if kind == name("Pages") || kind == name("Catalog") {
			return nil, false, ErrBroken
		}
		return nil, false, nil
	}
	return nil, false, ErrBroken
}
