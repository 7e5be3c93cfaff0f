package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// person drives a headless browser through person.mjs.
type person struct {
	t    *testing.T
	in   io.WriteCloser
	out  *bufio.Scanner
	cmd  *exec.Cmd
	shut bool
}

type step map[string]any

func newPerson(t *testing.T, root string) *person {
	t.Helper()
	p := &person{t: t, cmd: exec.Command("node", filepath.Join(root, "scripts/e2e/person.mjs"))}
	p.cmd.Env = append(os.Environ(), "UI="+filepath.Join(root, "ui"))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("cannot start node: %v", err)
	}
	t.Cleanup(p.leave)
	p.answer("start")
	return p
}

func (p *person) answer(what string) {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("%s: the browser is gone: %v", what, p.out.Err())
	}
	var a struct {
		OK    bool
		Error string
	}
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil || !a.OK {
		p.t.Fatalf("%s: %s %v", what, a.Error, err)
	}
}

func (p *person) do(s step) {
	p.t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		p.t.Fatalf("%s: %v", b, err)
	}
	p.answer(string(b))
}

func (p *person) open(page, url string) {
	p.t.Helper()
	p.do(step{"do": "open", "page": page, "url": url})
}
func (p *person) key(key string) { p.t.Helper(); p.do(step{"do": "key", "key": key}) }

// click presses a point of the terminal's screen, in its own pixels.
func (p *person) click(x, y int) {
	p.t.Helper()
	p.do(step{"do": "click", "x": x, "y": y, "width": width, "height": height})
}

func (p *person) press(page, selector string) {
	p.t.Helper()
	p.do(step{"do": "press", "page": page, "selector": selector})
}

func (p *person) expect(page, text string) {
	p.t.Helper()
	p.do(step{"do": "expect", "page": page, "text": text})
}
func (p *person) shot(page, path string) {
	p.t.Helper()
	p.do(step{"do": "shot", "page": page, "path": path})
}

// leave closes the browser; nothing of it may live when memory is searched.
func (p *person) leave() {
	if p.shut {
		return
	}
	p.shut = true
	p.in.Close()
	done := make(chan struct{})
	go func() { p.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-done
	}
}
