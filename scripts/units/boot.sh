# Makes a small machine out of this one and becomes its systemd: the same files below a
# layer in memory, and the shipped units. Run in namespaces of its own by boot_test.go.
#   boot.sh FOLDER PACKAGE PROGRAM
set -eu
at=$1 package=$2 program=$3
mount --make-rprivate /
mount -t tmpfs tmpfs "$at"
mkdir "$at/upper" "$at/work" "$at/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$at/upper,workdir=$at/work" "$at/root"
cd "$at/root"
mount -t proc proc proc
# The kernel is the real machine's: none of its settings may change, but the network's, which is in there alone.
for d in kernel fs vm; do
	mount --bind proc/sys/$d proc/sys/$d
	mount -o remount,bind,ro proc/sys/$d
done
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount --rbind /dev dev
for d in run tmp var/tmp var/lib dev/shm; do mount -t tmpfs -o mode=1777 tmpfs $d; done
chmod 755 run var/lib
mkdir -m 1777 tmp/.X11-unix
cp "$program" usr/local/bin/borne-kiosk
rm -rf etc/systemd/system etc/borne
mkdir -p etc/systemd/system etc/borne
"$package/install" "$PWD"
# The ports of the machine that tests are none of theirs.
printf 'display = "xvfb"\n[usb]\nguard = false\n' >etc/borne/kiosk.toml
# Nothing else of the machine's is started.
rm -rf usr/lib/systemd/system/*.target.wants
for t in sysinit basic; do printf '[Unit]\nDescription=nothing\n' >etc/systemd/system/$t.target; done
printf '[Unit]\nWants=borne-kiosk.service\nAllowIsolate=yes\n' >etc/systemd/system/test.target
for u in borne-kiosk borne-agent; do
	mkdir etc/systemd/system/$u.service.d
	printf '[Service]\nStandardOutput=append:/run/%s.log\nStandardError=inherit\n' $u >etc/systemd/system/$u.service.d/log.conf
done
ip link set lo up
pivot_root . mnt
umount -l /mnt
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=test.target --log-target=console --show-status=false
