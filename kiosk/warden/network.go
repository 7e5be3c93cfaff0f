package warden

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// linkNet is one sandbox's network: a pair of virtual interfaces with a /30.
type linkNet struct {
	host   string // interface on the machine's side
	prefix netip.Prefix
	gw, ip netip.Addr // machine's and sandbox's address
}

// linkFor cuts slot's /30 out of base.
func linkFor(tag string, base netip.Prefix, slot int) (linkNet, error) {
	a := base.Masked().Addr()
	for range slot * 4 {
		a = a.Next()
	}
	if !a.Is4() || base.Bits() > 24 || !base.Contains(a) {
		return linkNet{}, fmt.Errorf("cannot give sandbox %d an address: net %s is no IPv4 /24", slot, base)
	}
	gw := a.Next()
	return linkNet{host: fmt.Sprintf("%s-%d", linkPrefix(tag), slot), prefix: netip.PrefixFrom(a, 30), gw: gw, ip: gw.Next()}, nil
}

// linkPrefix begins the name of each interface of this instance.
func linkPrefix(tag string) string { return "bn" + tag }

// create makes the pair, the far end inside process pid's network namespace.
// Both ends stay down: nothing passes before up.
func (l linkNet) create(pid int) error {
	if err := withoutIPv6(pid); err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.host
	v := &netlink.Veth{LinkAttrs: attrs, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(v); err != nil {
		return fmt.Errorf("cannot make interface %s: %w", l.host, err)
	}
	// No IPv6 on the machine's side either.
	os.WriteFile("/proc/sys/net/ipv6/conf/"+l.host+"/disable_ipv6", []byte("1"), 0)
	host, err := netlink.LinkByName(l.host)
	if err != nil {
		return fmt.Errorf("cannot find interface %s: %w", l.host, err)
	}
	if err := netlink.AddrAdd(host, addr(l.gw, 30)); err != nil {
		return fmt.Errorf("cannot give %s its address: %w", l.host, err)
	}
	return l.inside(pid, func(h *netlink.Handle) error {
		far, err := h.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := h.AddrAdd(far, addr(l.ip, 30)); err != nil {
			return err
		}
		lo, err := h.LinkByName("lo")
		if err != nil {
			return err
		}
		return h.LinkSetUp(lo)
	})
}

// withoutIPv6 takes IPv6 from process pid's network namespace: an interface
// gives itself an address, and the rules are of IPv4.
func withoutIPv6(pid int) error {
	err := onThread(func() error {
		ns, err := netns.GetFromPid(pid)
		if err == nil {
			err = netns.Set(ns)
			ns.Close()
		}
		// /proc/sys/net is that of the thread which opens it.
		for _, which := range []string{"all", "default"} {
			if err == nil {
				err = os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
			}
		}
		if errors.Is(err, os.ErrNotExist) {
			err = nil // a kernel without IPv6
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot take IPv6 from the sandbox: %w", err)
	}
	return nil
}

// up opens the link: the last step of an admission.
func (l linkNet) up(pid int) error {
	host, err := netlink.LinkByName(l.host)
	if err != nil {
		return fmt.Errorf("cannot find interface %s: %w", l.host, err)
	}
	if err := netlink.LinkSetUp(host); err != nil {
		return fmt.Errorf("cannot open the link: %w", err)
	}
	return l.inside(pid, func(h *netlink.Handle) error {
		far, err := h.LinkByName("eth0")
		if err != nil {
			return err
		}
		if err := h.LinkSetUp(far); err != nil {
			return err
		}
		return h.RouteAdd(&netlink.Route{LinkIndex: far.Attrs().Index, Gw: l.gw.AsSlice()})
	})
}

func (l linkNet) inside(pid int, do func(*netlink.Handle) error) error {
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("cannot enter the sandbox's network: %w", err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return fmt.Errorf("cannot enter the sandbox's network: %w", err)
	}
	defer h.Close()
	if err := do(h); err != nil {
		return fmt.Errorf("cannot set up the sandbox's network: %w", err)
	}
	return nil
}

func addr(a netip.Addr, bits int) *netlink.Addr {
	return &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}}
}

// links lists the interfaces of this instance that exist.
func links(tag string) ([]netlink.Link, error) {
	var all []netlink.Link
	var err error
	for range 50 { // the kernel says when the list changed under the reading
		if all, err = netlink.LinkList(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list interfaces: %w", err)
	}
	var ours []netlink.Link
	for _, l := range all {
		if strings.HasPrefix(l.Attrs().Name, linkPrefix(tag)+"-") {
			ours = append(ours, l)
		}
	}
	return ours, nil
}

// remove deletes the pair; the far end goes with it.
func (l linkNet) remove() error {
	host, err := netlink.LinkByName(l.host)
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		return nil
	}
	if err == nil {
		err = netlink.LinkDel(host)
	}
	if err != nil && !strings.Contains(err.Error(), "no such device") {
		return fmt.Errorf("cannot delete interface %s: %w", l.host, err)
	}
	return nil
}
