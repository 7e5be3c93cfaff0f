package bolt

import (
	"bytes"
	"strconv"

	"borne/controller/store"
)

// own reads a row as Put writes it, without a JSON decoder's three passes over the
// document: a list of hundreds of rows costs a tenth. What is written in any other
// way is encoding/json's to read or to refuse; the document itself is decoded, and
// found out when it is damaged, by whoever asked for it. TestOwn and FuzzOwn compare.
func own(v []byte) (r row, ok bool) {
	if !bytes.HasPrefix(v, []byte("{")) {
		return r, false
	}
	rest := v[1:]
	if after, is := bytes.CutPrefix(rest, []byte(`"s":`)); is {
		if r.Site, rest, ok = text(after, ','); !ok {
			return row{}, false
		}
	}
	if after, is := bytes.CutPrefix(rest, []byte(`"c":`)); is {
		if r.Scope, rest, ok = text(after, ','); !ok {
			return row{}, false
		}
	}
	rest, is := bytes.CutPrefix(rest, []byte(`"r":`))
	end := bytes.IndexByte(rest, ',')
	if !is || end < 1 || end > 20 || end > 1 && rest[0] == '0' || rest[0] == '+' {
		return row{}, false
	}
	n, err := strconv.ParseUint(string(rest[:end]), 10, 64)
	if err != nil {
		return row{}, false
	}
	r.Rev, rest = n, rest[end+1:]
	if after, is := bytes.CutPrefix(rest, []byte(`"x":[`)); is {
		if r.Index, rest, ok = indexes(after); !ok {
			return row{}, false
		}
	}
	doc, is := bytes.CutPrefix(rest, []byte(`"d":{`))
	if !is || len(doc) < 2 || doc[len(doc)-1] != '}' || doc[len(doc)-2] != '}' {
		return row{}, false
	}
	r.Doc = bytes.Clone(rest[len(`"d":`) : len(rest)-1]) // v dies with the transaction
	return r, true
}

// indexes reads them up to their end.
func indexes(rest []byte) (all []store.Index, after []byte, ok bool) {
	for {
		var x store.Index
		name, is := bytes.CutPrefix(rest, []byte(`{"Name":`))
		if !is {
			return nil, nil, false
		}
		if x.Name, rest, ok = text(name, ','); !ok {
			return nil, nil, false
		}
		value, is := bytes.CutPrefix(rest, []byte(`"Value":`))
		if !is {
			return nil, nil, false
		}
		if x.Value, rest, ok = text(value, '}'); !ok {
			return nil, nil, false
		}
		all = append(all, x)
		if after, is := bytes.CutPrefix(rest, []byte("],")); is {
			return all, after, true
		}
		if rest, is = bytes.CutPrefix(rest, []byte(",")); !is {
			return nil, nil, false
		}
	}
}

// text reads a string of plain ASCII, without anything escaped, that end follows.
func text(v []byte, end byte) (s string, after []byte, ok bool) {
	if len(v) == 0 || v[0] != '"' {
		return "", nil, false
	}
	for i := 1; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"':
			if i+1 >= len(v) || v[i+1] != end {
				return "", nil, false
			}
			return string(v[1:i]), v[i+2:], true
		case c == '\\' || c < ' ' || c > '~':
			return "", nil, false
		}
	}
	return "", nil, false
}
