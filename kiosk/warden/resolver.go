package warden

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// ResolverOrders is where the resolver of a sandbox finds what it may answer.
const ResolverOrders = "/run/borne/resolver.json"

const resolverLists = "/run/borne/lists"

// Limits of one resolver.
const (
	resolverMB    = 96
	resolverProcs = 48 // threads
)

// startResolver starts b's resolver: a process under its own uid, in namespaces
// of its own, but in the machine's network, where the designated DNS server is.
// Its sockets are made here, because their port needs a privilege; this role
// never reads from them. The rules that fence its uid in are there already.
func (w *warden) startResolver(ctx context.Context, b *box) (err error) {
	if len(w.c.DNS) == 0 {
		return nil
	}
	lists, err := w.adopt(b.rules.names.lists)
	if err != nil {
		return err
	}
	files, err := b.link.listen(ctx, b.uids.resolver)
	if err != nil {
		return err
	}
	defer func() { sandbox.CloseAll(files) }()
	hitsR, hitsW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot start the session's resolver: %w", err)
	}
	files = append(files, hitsW)
	defer func() {
		if err != nil {
			hitsR.Close()
		}
	}()
	o := sandbox.Resolving{From: b.link.ip, Upstream: netip.AddrPortFrom(b.rules.resolver, 53), Closed: closed(), Open: b.rules.private,
		Allow: b.rules.names.allow, Block: b.rules.names.block}
	var binds []bind
	for i, path := range lists {
		o.Lists = append(o.Lists, fmt.Sprintf("%s/%d", resolverLists, i))
		binds = append(binds, bind{path, o.Lists[i]})
	}
	orders, err := sandbox.EncodeResolving(o)
	if err != nil {
		return err
	}
	self, err := selfPath()
	if err != nil {
		return err
	}
	uid := b.uids.resolver
	r := &box{id: b.id + "-dns", slot: b.slot, pidfd: -1, began: time.Now(), mono: time.Now(), uids: boxUIDs{resolver: uid}}
	r.spec = spec{Mark: w.c.mark() + r.id, Root: w.rootDir(), Hostname: "borne", TmpfsMB: 4,
		Users: []user{{"resolver", uid, false}},
		Binds: append(binds, bind{self, pressPath}),
		Files: []file{{ResolverOrders, 0o444, 0, orders}},
		Programs: []Program{{Name: "resolver", Argv: append([]string{pressPath}, w.c.DNS...), UID: uid, Gets: []int{0, 1, 2}, Vital: true,
			Env: []string{"PATH=/usr/bin:/bin", "HOME=/", "GOTRACEBACK=none", "GOMAXPROCS=2"}}}}
	r.group = w.groups.make(r.id, resolverMB, resolverProcs)
	b.asker = r // from here on it goes when b goes
	statusR, err := w.start(r, files, false)
	if err != nil {
		return err
	}
	if err := r.group.enter(r.pid); err != nil {
		statusR.Close()
		return err
	}
	if err := r.tell(ctx, statusR); err != nil {
		return fmt.Errorf("cannot start the session's resolver: %w", err)
	}
	go b.endWith(r)
	go w.count(b, r, hitsR)
	return nil
}

// count tells the agent of sites that the resolver refused: a byte for each,
// the number of its list. Nothing else comes this way.
func (w *warden) count(b, r *box, hits *os.File) {
	defer hits.Close()
	buf := make([]byte, 256)
	for {
		n, err := hits.Read(buf)
		if err != nil {
			return // it ended
		}
		counts := map[string]int{}
		for _, c := range buf[:n] {
			switch lists := b.rules.names.lists; {
			case int(c) < len(lists):
				counts[lists[c].Category]++
			case c == sandbox.OwnHit:
				counts[sandbox.OwnCategory]++
			}
		}
		for category, n := range counts {
			select {
			case w.hits <- sandbox.Event{Sandbox: b.id, Kind: "refused", Category: category, Count: n}:
			case <-r.done:
				return
			}
		}
	}
}

// endWith ends b when its resolver ends unasked: without names a session is of
// no use, and what ended it may be an attack.
func (b *box) endWith(r *box) {
	<-r.done
	<-r.heard
	if !r.lost() {
		return
	}
	b.mu.Lock()
	if b.why == "" {
		b.why = "its resolver ended: " + r.reason()
	}
	b.mu.Unlock()
	b.control.Close() // its first process ends with this, and all of it
}

// listen makes the two sockets of port 53 on the machine's side of the link.
// Their files belong to uid: the firewall then knows what is sent by them.
func (l linkNet) listen(ctx context.Context, uid int) (files []*os.File, err error) {
	at := netip.AddrPortFrom(l.gw, 53).String()
	err = asOwner(uid, func() error {
		udp, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp4", at)
		if err != nil {
			return err
		}
		defer udp.Close()
		tcp, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", at)
		if err != nil {
			return err
		}
		defer tcp.Close()
		for _, c := range []interface{ File() (*os.File, error) }{udp.(*net.UDPConn), tcp.(*net.TCPListener)} {
			f, err := c.File()
			if err != nil {
				return err
			}
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		sandbox.CloseAll(files)
		return nil, fmt.Errorf("cannot listen for the session's names: %w", err)
	}
	return files, nil
}

// asOwner runs f with uid as the owner of the files that it makes. nftables
// takes a socket for that of the uid which its file was made with.
func asOwner(uid int, f func() error) error {
	return onThread(func() error {
		// The call tells the uid before it, and nothing of an error.
		unix.SetfsuidRetUid(uid)
		if now, err := unix.SetfsuidRetUid(uid); err != nil || now != uid {
			return fmt.Errorf("cannot act as uid %d: %w", uid, err)
		}
		return f()
	})
}
