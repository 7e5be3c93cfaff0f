package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"borne/controller/wire"
	"borne/kiosk/uplink"
	"borne/kiosk/warden"
)

// errRoot tells that a command needs root.
var errRoot = errors.New("this needs root; start it with sudo, or as the service borne-kiosk")

// enrolTask is what the agent's half of enrolment is told, on its standard input.
type enrolTask struct {
	Controller string `json:"controller"`
	Code       string `json:"code"`
	Receipt    []byte `json:"receipt"` // the warden's request
	Proxy      string `json:"proxy"`
	Folder     string `json:"folder"`
	Machine    string `json:"machine"`
	Sim        bool   `json:"sim"`
}

const maxTask = 64 << 10

// enrol asks the warden's key for its request, and lets a process of the
// agent's own user do the rest: root never speaks to the network.
func enrol(ctx context.Context, c *call) error {
	if len(c.rest) != 1 {
		return usageError{errors.New("cannot enrol: give the code that the console shows")}
	}
	controller := c.flag("controller")
	if controller == "" {
		controller = c.cfg.Controller
	}
	if controller == "" {
		return usageError{errors.New("cannot enrol: give the controller's address, -controller https://host, or write it in the configuration")}
	}
	if err := uplink.CheckEndpoint(controller); err != nil {
		return usageError{err}
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("cannot enrol: %w", errRoot)
	}
	if err := claim(c.cfg.State, c.cfg.Sim); err != nil {
		return err
	}
	agent := filepath.Join(c.cfg.State, "agent")
	if err := ownFolder(agent, c.cfg.UIDBase); err != nil {
		return err
	}
	csr, err := warden.ReceiptRequest(c.cfg.State)
	if err != nil {
		return err
	}
	task := enrolTask{Controller: controller, Code: c.rest[0], Receipt: csr, Folder: filepath.Join(agent, "identity"),
		Machine: machine(firmware()...), Sim: c.cfg.Sim}
	if c.cfg.Proxy != nil {
		task.Proxy = c.cfg.Proxy.String()
	}
	in, err := json.Marshal(task)
	if err != nil {
		return err
	}
	answer, given, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot enrol: %w", err)
	}
	defer answer.Close()
	defer given.Close()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", roleEnrol)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), c.Stdout, c.Stderr
	cmd.ExtraFiles = []*os.File{given} // descriptor enrolFD there
	cmd.Env, cmd.Dir = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}, "/"
	uid := uint32(c.cfg.UIDBase)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) && exit.ExitCode() == exitFail {
		return errSaid
	} else if err != nil {
		return fmt.Errorf("cannot enrol: %w", err)
	}
	given.Close()
	var e enrolment
	if err := json.NewDecoder(io.LimitReader(answer, maxTask)).Decode(&e); err != nil {
		return fmt.Errorf("cannot read which keys the controller signs with: %w; enrol again", err)
	}
	if err := warden.Trust(c.cfg.State, e.Keys); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, "Poste enrôlé (%s). Il apparaît maintenant dans la console.\n", e.Terminal)
	return nil
}

// enrolment is what the agent's half tells root, on descriptor enrolFD.
type enrolment struct {
	Terminal string      `json:"terminal"`
	Keys     wire.KeySet `json:"keys"` // the warden verifies policies with them
}

const enrolFD = 3

// enrolAgent is the agent's half.
func enrolAgent(ctx context.Context, c *call) error {
	b, err := io.ReadAll(io.LimitReader(c.Stdin, maxTask))
	if err != nil {
		return fmt.Errorf("cannot read what to enrol: %w", err)
	}
	var task enrolTask
	if err := json.Unmarshal(b, &task); err != nil {
		return fmt.Errorf("cannot read what to enrol: %w", err)
	}
	var route uplink.Route
	if task.Proxy != "" {
		if route.Proxy, err = url.Parse(task.Proxy); err != nil {
			return errors.New("cannot read the proxy's address")
		}
	}
	folder, err := uplink.OpenFolder(task.Folder)
	if err != nil {
		return err
	}
	id, err := uplink.Enrol(ctx, uplink.EnrolConfig{Route: route, Folder: folder, Controller: task.Controller, Code: task.Code,
		ReceiptCSR: func(context.Context) ([]byte, error) { return task.Receipt, nil },
		Machine:    task.Machine, Build: c.Version, Sim: task.Sim})
	if err != nil {
		return err
	}
	out := os.NewFile(enrolFD, "enrolment")
	if out == nil {
		return errors.New("cannot tell root what was given: this role is started by the command enrol")
	}
	defer out.Close()
	return json.NewEncoder(out).Encode(enrolment{Terminal: id.Terminal, Keys: wire.KeySet{Step: id.KeyStep, SignKeys: id.SignKeys}})
}
