package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
)

type undeclared struct {
	Site
	Birthday string `json:"birthday"`
}

type badBasis struct {
	Name string `json:"name" inventory:"because;curiosity;life"`
	Site `json:"site" inventory:"x;none-personal;life"`
}

type badClass struct {
	Name string `json:"name" inventory:"because;public-task;for ever"`
	Site `json:"site" inventory:"x;none-personal;life"`
}

func TestInventoryIsComplete(t *testing.T) {
	fields, err := Inventory()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range fields {
		if key := f.Table + "." + f.Field; seen[key] {
			t.Errorf("%s is declared twice", key)
		} else {
			seen[key] = true
		}
	}
	for _, r := range []Row{undeclared{}, badBasis{}, badClass{}} {
		if _, err := declared("x", reflect.TypeOf(r)); err == nil {
			t.Errorf("%T passes with a field that is not declared well", r)
		}
	}
}

// TestEveryTableIsInventoried fails when a table is added without its row type.
func TestEveryTableIsInventoried(t *testing.T) {
	have := map[string]bool{}
	for _, r := range Rows() {
		have[string(r.Table())] = true
	}
	f, err := parser.ParseFile(token.NewFileSet(), "rows.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(x ast.Node) bool {
		if v, ok := x.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Kind") {
			n++
			if lit := strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`); !have[lit] {
				t.Errorf("table %q has no row type in Rows()", lit)
			}
		}
		return true
	})
	if n != len(have) || n == 0 {
		t.Errorf("%d tables are named, %d have a row type", n, len(have))
	}
}

// TestEveryRecordIsInventoried fails when a kind of record is added whose body
// nobody declared.
func TestEveryRecordIsInventoried(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../wire/record.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	have, n := bodies(), 0
	ast.Inspect(f, func(x ast.Node) bool {
		if v, ok := x.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Kind") {
			n++
			if lit := strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`); have["record "+lit] == nil {
				t.Errorf("the body of records of kind %q is in no inventory", lit)
			}
		}
		return true
	})
	if n == 0 {
		t.Error("no kind of record was found")
	}
}
