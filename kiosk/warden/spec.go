package warden

import (
	"encoding/json"
	"fmt"
	"io"
)

// maxSpec bounds what PID 1 of a sandbox reads: a policy and a portal, each at
// most a frame, in base64.
const maxSpec = 1 << 20

// spec is all that the PID 1 of a sandbox is told, by the warden alone.
type spec struct {
	Mark     string    `json:"mark"` // source of each of its tmpfs: what an examination looks for
	Root     string    `json:"root"` // empty folder that the new root is built on
	Hostname string    `json:"hostname"`
	TmpfsMB  int       `json:"tmpfsMb"`
	Users    []user    `json:"users"`
	Folders  []folder  `json:"folders"`
	Files    []file    `json:"files"`    // written below /run/borne, /etc or a home
	Binds    []bind    `json:"binds"`    // shown read-only
	Programs []Program `json:"programs"` // started in order
	Given    int       `json:"given"`    // descriptors, from fdPipeIn on
}

type user struct {
	Name string `json:"name"`
	UID  int    `json:"uid"`
	Home bool   `json:"home"` // has a folder below /home
}

// folder is one that a user of the sandbox may write to.
type folder struct {
	Path string `json:"path"`
	UID  int    `json:"uid"`
}

type file struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"`
	UID  int    `json:"uid"`
	Data []byte `json:"data"`
}

type bind struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Program is one process of a sandbox. The warden makes it from constants.
type Program struct {
	Name  string   `json:"name"`
	Argv  []string `json:"argv"` // Argv[0] is an absolute path
	Env   []string `json:"env"`
	UID   int      `json:"uid"`
	Wait  Wait     `json:"wait"`
	Gets  []int    `json:"gets"`  // which of the given descriptors it finds on 3 and up: a browser, its debugging pipe
	Vital bool     `json:"vital"` // the sandbox ends with it
	Drop  []string `json:"drop"`  // mounts or files to take away once it is ready
}

// Wait says when a program is ready.
type Wait string

// Ways to be ready.
const (
	WaitNone    Wait = ""        // as soon as it runs
	WaitExit    Wait = "exit"    // when it has ended, with status 0
	WaitTry     Wait = "try"     // when it has ended, with any status
	WaitDisplay Wait = "display" // when it has written its display number on descriptor 3
)

// status is one line that PID 1 writes to the warden.
type status struct {
	Ready bool   `json:"ready,omitempty"`
	Error string `json:"error,omitempty"`
}

func readSpec(r io.Reader) (spec, error) {
	var s spec
	d := json.NewDecoder(io.LimitReader(r, maxSpec))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return spec{}, fmt.Errorf("cannot read the sandbox's description: %w", err)
	}
	return s, nil
}
