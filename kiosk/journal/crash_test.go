package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"borne/controller/wire"
)

// writeForEver is the child: step n writes n%3+1 records that name it.
func writeForEver(p string) {
	j, err := Open(p, Options{Clock: start()})
	if err != nil {
		panic(err)
	}
	n := 0
	if s := j.Found().State; s != nil {
		if n, err = strconv.Atoi(string(s)); err != nil {
			panic(err)
		}
	}
	for {
		n++
		s := Step{State: []byte(strconv.Itoa(n))}
		for range n%3 + 1 {
			s.Records = append(s.Records, record(n))
		}
		if err := j.Commit(s); err != nil {
			panic(err)
		}
		fmt.Println(n)
	}
}

// TestKilledInTheMiddle kills a writing process with SIGKILL, again and again:
// the state and the records are those of the same step, and nothing that was
// told as written is missing.
func TestKilledInTheMiddle(t *testing.T) {
	p := path(t)
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childWrites+"="+p)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		told := 0
		lines := bufio.NewScanner(out)
		for range 1 + r.IntN(20) {
			if lines.Scan() {
				told, _ = strconv.Atoi(lines.Text())
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it told before it died
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				told = n
			}
		}
		_ = cmd.Wait() // killed, of course
		j := mustOpen(t, p, nil)
		f := j.Found()
		n, err := strconv.Atoi(string(f.State))
		if err != nil || f.Damaged != "" || n < told || n > told+1 {
			t.Fatalf("round %d: state %q (damaged %q), told %d", round, f.State, f.Damaged, told)
		}
		all, err := j.After(0, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for s := 1; s <= n; s++ {
			for range s%3 + 1 {
				if i >= len(all) || all[i].Seq != uint64(i+1) || string(all[i].Body) != strconv.Itoa(s) {
					t.Fatalf("round %d: record %d of %d is not of step %d", round, i, len(all), s)
				}
				i++
			}
		}
		if i != len(all) {
			t.Fatalf("round %d: %d records beyond the state", round, len(all)-i)
		}
		j.Close()
	}
}

// fillUp is the child that may not write big files.
func fillUp(p string) {
	signal.Ignore(syscall.SIGXFSZ)
	j, err := Open(p, Options{})
	if err != nil {
		panic(err)
	}
	limit := func(n uint64) {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			panic(err)
		}
		l.Cur = min(n, l.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
			panic(err)
		}
	}
	body := json.RawMessage(`"` + strings.Repeat("x", 30000) + `"`)
	write := func(n int) error {
		return j.Commit(Step{State: []byte(strconv.Itoa(n)), Records: []wire.Record{{Kind: "k", Body: body}}})
	}
	limit(300 << 10)
	n := 1
	for ; n < 100; n++ {
		if err = write(n); err != nil {
			break
		}
	}
	again := write(n) // still full
	limit(1 << 40)
	then := write(n)
	fmt.Printf("full=%v,%v then=%v steps=%d\n", errors.Is(err, ErrFull), errors.Is(again, ErrFull), then, n)
	os.Exit(0)
}

// TestAFullDiskLosesNothing limits the size of files, which the kernel reports
// at the same place as a full disk.
func TestAFullDiskLosesNothing(t *testing.T) {
	p := path(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFull+"="+p)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var n int
	if _, err := fmt.Sscanf(string(out), "full=true,true then=<nil> steps=%d", &n); err != nil || n < 3 || n > 50 {
		t.Fatalf("%s", out)
	}
	j := mustOpen(t, p, nil)
	all, err := j.After(0, 1000)
	if err != nil || len(all) != n || string(j.Found().State) != strconv.Itoa(n) {
		t.Fatalf("%d records, state %s, want %d: %v", len(all), j.Found().State, n, err)
	}
}
