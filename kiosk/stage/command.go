package stage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"borne/kiosk/x11"
)

// command builds the server's command line out of constants of ours.
func (cfg ServerConfig) command(kind string, cookie []byte, number int) (*exec.Cmd, error) {
	uid := cfg.UID
	if kind == "xorg" || os.Getuid() != 0 {
		uid = os.Getuid()
	}
	auth := filepath.Join(cfg.Dir, "server.authority")
	if err := x11.WriteAuthority(auth, cookie, uid); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		// A server without root's rights cannot make the folder as it must be.
		if err := os.Mkdir(x11.Sockets, 0o1777); err == nil {
			os.Chmod(x11.Sockets, 0o1777|os.ModeSticky)
		}
	}
	// "local" is the abstract socket: it would be reachable from every mount
	// namespace, which the socket in a folder is not.
	args := []string{":" + strconv.Itoa(number), "-auth", auth, "-nolisten", "tcp", "-nolisten", "local", "-noreset"}
	size := fmt.Sprintf("%dx%d", cfg.Width, cfg.Height)
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/nonexistent"}
	name := ""
	switch kind {
	case "xvfb":
		name = "Xvfb"
		args = append(args, "-screen", "0", size+"x24")
	case "xephyr":
		name = "Xephyr"
		args = append(args, "-screen", size, "-title", "Borne", "-no-host-grab")
		outer := filepath.Join(cfg.Dir, "desktop.authority")
		if err := cfg.borrow(outer, uid); err != nil {
			return nil, err
		}
		env = append(env, "DISPLAY="+os.Getenv("DISPLAY"), "XAUTHORITY="+outer)
	case "xorg":
		name = "Xorg"
		conf := filepath.Join(cfg.Dir, "xorg.conf.d")
		if err := os.MkdirAll(conf, 0o755); err != nil {
			return nil, fmt.Errorf("cannot write Xorg's configuration: %w", err)
		}
		if err := os.WriteFile(filepath.Join(conf, "10-borne.conf"), []byte(xorgConf), 0o644); err != nil {
			return nil, fmt.Errorf("cannot write Xorg's configuration: %w", err)
		}
		args = append(args, "-novtswitch", "-configdir", conf, "-background", "none", "-s", "0", "-dpms")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("cannot start the display: %s is not installed; install the package that has it (apt-get install xvfb xserver-xephyr xserver-xorg-core): %w", name, err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL} // no terminal of ours is the server's
	if uid != os.Getuid() {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}
	}
	return cmd, nil
}

// borrow copies the desktop's cookie for the server's uid.
func (cfg ServerConfig) borrow(to string, uid int) error {
	cookie, err := x11.Cookie(outerAuthority(), x11.Number(os.Getenv("DISPLAY")))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if cookie == nil {
		// A desktop may admit by user instead: let it decide.
		return os.RemoveAll(to)
	}
	return x11.WriteAuthority(to, cookie, uid)
}

// xorgConf takes from the keyboard what would leave the terminal: the console
// switch (Ctrl+Alt+F1), the kill (Ctrl+Alt+Backspace) and blanking; the keymap
// of a keyboard that is plugged in does not have the first two at all.
const xorgConf = `Section "ServerFlags"
	Option "DontVTSwitch" "true"
	Option "DontZap" "true"
	Option "DontZoom" "true"
	Option "AllowMouseOpenFail" "true"
	Option "BlankTime" "0"
	Option "StandbyTime" "0"
	Option "SuspendTime" "0"
	Option "OffTime" "0"
EndSection
Section "InputClass"
	Identifier "borne: no key speaks to the server"
	MatchIsKeyboard "on"
	Option "XkbOptions" "srvrkeys:none"
EndSection
`
