package fleettest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// TestBackupDrill is what the guides tell to try once a year: a controller that
// is a process of its own is backed up while real agents send their records, and
// killed a while later. The encrypted backup is restored on an empty machine, by
// the command that people type. Nothing that was acknowledged before the backup
// is missing, and the terminals send the rest again.
func TestBackupDrill(t *testing.T) {
	w := newWorld(t)
	var all []*terminal
	for i := range 4 {
		all = append(all, w.install(fmt.Sprintf("Poste %d", i+1)))
	}
	w.ctl.gate.Set(false)
	w.ctl.leave()
	p := newProcess(t, w.ctl)
	p.serve()

	// People use all of them, until told to go.
	var enough atomic.Bool
	var turns atomic.Int64
	var people sync.WaitGroup
	for _, x := range all {
		people.Go(func() {
			for n := 0; n < 3 || !enough.Load(); n++ {
				x.serves()
				x.play()
				turns.Add(1)
			}
		})
	}
	until(t, "everybody had a turn", func() bool { return turns.Load() >= 8 })
	acked := map[string]uint64{}
	epochs := map[string]uint64{}
	for _, x := range all {
		left := x.Journal.Unacked() // first: what is written meanwhile counts as not acknowledged
		h, err := x.Journal.Hello()
		must(t, err)
		acked[x.id], epochs[x.id] = h.Seq-min(left, h.Seq), h.Epoch
	}
	before := turns.Load()
	file := filepath.Join(w.ctl.dir, "backup.age")
	p.run("backup", "-out", file, "-recipient", p.recipient)
	during := turns.Load() - before
	until(t, "people went on after the backup", func() bool { return turns.Load() >= before+during+8 })
	enough.Store(true)
	people.Wait()
	if t.Failed() {
		t.FailNow()
	}
	p.kill()

	w.ctl.state = w.ctl.folder()
	p.configure()
	p.run("restore", "-in", file, "-identity", p.key)
	p.run("audit", "verify")
	st, err := bolt.Open(bolt.Config{Dir: filepath.Join(w.ctl.state, "store")})
	must(t, err)
	behind := 0
	err = st.View(context.Background(), func(tx store.Tx) error {
		for _, x := range all {
			cur, err := tx.Cursor(x.id)
			if err != nil {
				return err
			}
			if cur.Epoch != epochs[x.id] || cur.Seq < acked[x.id] || cur.Gaps != 0 {
				t.Errorf("%s: the backup holds (%d, %d), and (%d, %d) was acknowledged before it", x.name, cur.Epoch, cur.Seq, epochs[x.id], acked[x.id])
			}
			h, err := x.Journal.Hello()
			if err != nil {
				return err
			}
			if h.Seq > cur.Seq {
				behind++
			}
		}
		return nil
	})
	must(t, err)
	must(t, st.Close())
	if behind != len(all) {
		t.Errorf("%d of %d terminals are ahead of the backup: the drill shows little", behind, len(all))
	}

	w.ctl.restored = true
	w.ctl.start()
	sessions := 0
	for _, x := range all {
		x.serves()
		x.play()
		x.serves()
		x.delivered()
		x.proven()
		if s := x.row().Row.State; s != store.StateActive {
			t.Errorf("%s is %s after the restore", x.name, s)
		}
		sessions += x.truth.ends[wire.EndButton]
	}
	t.Logf("%d sessions on %d terminals, %d of them while the backup ran and %d after it; each is there once", sessions, len(all), during, turns.Load()-before-during)
}

// process runs the controller's program.
type process struct {
	t               *testing.T
	ctl             *controller
	program, config string
	key, recipient  string
	running         *exec.Cmd
	ended           chan struct{}
	log             bytes.Buffer
}

func newProcess(t *testing.T, c *controller) *process {
	t.Helper()
	p := &process{t: t, ctl: c, program: filepath.Join(c.dir, "borne-controller"), config: filepath.Join(c.dir, "c.toml"), key: filepath.Join(c.dir, "key")}
	build := exec.Command("go", "build", "-o", p.program, "borne/controller")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the controller: %v\n%s", err, out)
	}
	p.recipient = keyFile(t, p.key)
	p.configure()
	t.Cleanup(p.kill)
	return p
}

func (p *process) configure() {
	p.t.Helper()
	text := fmt.Sprintf("state = %q\nlog = \"json\"\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", p.ctl.state)
	must(p.t, os.WriteFile(p.config, []byte(text), 0o600))
}

// run is one command, as people type it.
func (p *process) run(args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	out, err := exec.CommandContext(ctx, p.program, append(args, "-config", p.config)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("borne-controller %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// serve starts the controller and lets terminals in.
func (p *process) serve() {
	p.t.Helper()
	p.running = exec.Command(p.program, "serve", "-config", p.config)
	out, err := p.running.StderrPipe()
	must(p.t, err)
	must(p.t, p.running.Start())
	p.ended = make(chan struct{})
	ready := make(chan string, 1)
	go func() {
		defer close(p.ended)
		for in := bufio.NewScanner(out); in.Scan(); {
			var line struct{ Msg, Terminals string }
			if json.Unmarshal(in.Bytes(), &line) == nil && line.Msg == "ready" {
				ready <- line.Terminals
			}
			if p.log.Len() < 1<<16 {
				fmt.Fprintln(&p.log, in.Text())
			}
		}
		io.Copy(io.Discard, out)
		p.running.Wait()
	}()
	select {
	case at := <-ready:
		p.ctl.mu.Lock()
		p.ctl.process = at
		p.ctl.mu.Unlock()
		p.ctl.gate.Set(true)
	case <-p.ended:
		p.t.Fatalf("the controller ended:\n%s", p.log.String())
	case <-time.After(soon):
		p.t.Fatal("the controller does not get ready")
	}
}

// kill ends it as a power cut would.
func (p *process) kill() {
	if p.running == nil {
		return
	}
	p.ctl.gate.Set(false)
	p.running.Process.Kill()
	<-p.ended
	p.running = nil
	p.ctl.mu.Lock()
	p.ctl.process = ""
	p.ctl.mu.Unlock()
}

// keyFile writes a key of age as age-keygen does, and returns its public half.
func keyFile(t *testing.T, path string) (recipient string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	must(t, err)
	must(t, os.WriteFile(path, []byte(id.String()+"\n"), 0o600))
	return id.Recipient().String()
}
