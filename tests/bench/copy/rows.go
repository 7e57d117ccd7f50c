package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// row is a kind of image, with those who can write it to a disk.
type row struct {
	name string
	// pack makes $PACKED of $IMAGE; empty where it is the image.
	pack string
	// players write $PACKED, or what $URL delivers, to $DISK. $WRITE is dd that writes what
	// it reads to $DISK: sparse to a new file, everything to a used device.
	players []contestant
	// where is what the players run under: "", or a limited network.
	where string
}

var (
	ours    = contestant{name: "snf-image", shell: `"$SELF" deploy "$PACKED" "$DISK"`}
	oursURL = contestant{name: "snf-image", shell: `"$SELF" deploy "$URL" "$DISK"`}
)

// qemu reads all formats.
func qemu(format string) contestant {
	return contestant{name: "qemu-img convert -n -W -m 8", shell: fmt.Sprintf(`qemu-img convert -n -W -m 8 -f %s -O raw "$PACKED" "$DISK" && sync "$DISK"`, format)}
}

// nbd is nbdcopy from a server of the format.
func nbd(format string) contestant {
	return contestant{name: "nbdcopy from qemu-nbd", shell: fmt.Sprintf(`nbdcopy --flush -- [ qemu-nbd -r -f %s "$PACKED" ] "$DISK"`, format)}
}

// pipe is a decompressor with dd behind it.
func pipe(command string) contestant {
	return contestant{name: command + " | dd", shell: command + ` <"$PACKED" | $WRITE`}
}

func rows() []row {
	return []row{
		{name: "raw", players: []contestant{
			ours,
			{name: "nbdcopy --flush", shell: `nbdcopy --flush "$PACKED" "$DISK"`},
			qemu("raw"),
			{name: "bmaptool copy", shell: `bmaptool -q copy --bmap "$IMAGE.bmap" "$PACKED" "$DISK" && sync "$DISK"`, fileOnly: true},
			{name: "dd bs=4M oflag=direct conv=fsync", shell: `dd bs=4M oflag=direct conv=fsync,notrunc status=none if="$PACKED" of="$DISK"`},
		}},
		{name: "qcow2", pack: `qemu-img convert -O qcow2 "$IMAGE" "$PACKED"`, players: []contestant{ours, qemu("qcow2"), nbd("qcow2")}},
		{name: "qcow2-zlib", pack: `qemu-img convert -c -O qcow2 "$IMAGE" "$PACKED"`, players: []contestant{ours, qemu("qcow2"), nbd("qcow2")}},
		{
			name: "qcow2-zstd", pack: `qemu-img convert -c -O qcow2 -o compression_type=zstd "$IMAGE" "$PACKED"`,
			players: []contestant{ours, qemu("qcow2"), nbd("qcow2")},
		},
		{
			name: "vmdk", pack: `qemu-img convert -O vmdk -o subformat=streamOptimized "$IMAGE" "$PACKED"`,
			players: []contestant{ours, qemu("vmdk"), nbd("vmdk")},
		},
		{name: "gz", pack: `gzip -c <"$IMAGE" >"$PACKED"`, players: []contestant{ours, pipe("pigz -dc"), pipe("gzip -dc")}},
		{name: "xz", pack: `xz -T0 -c <"$IMAGE" >"$PACKED"`, players: []contestant{ours, pipe("xz -T0 -dc")}},
		{name: "xz-one-block", pack: `xz -2 -T1 -c <"$IMAGE" >"$PACKED"`, players: []contestant{ours, pipe("xz -T0 -dc")}},
		{name: "zst", pack: `zstd -q -T0 -c <"$IMAGE" >"$PACKED"`, players: []contestant{ours, pipe("zstd -q -dc")}},
		{name: "bz2", pack: `lbzip2 -c <"$IMAGE" >"$PACKED"`, players: []contestant{ours, pipe("lbzip2 -dc")}},
		{
			name: "tar.xz", pack: `tar -S -C "$(dirname "$IMAGE")" -c "$(basename "$IMAGE")" | xz -2 -T0 -c >"$PACKED"`,
			players: []contestant{ours, {name: "xz -T0 -dc | tar -xO | dd", shell: `xz -T0 -dc <"$PACKED" | tar -xO | $WRITE`}},
		},
		{
			name: "qcow2.xz", pack: `qemu-img convert -O qcow2 "$IMAGE" "$PACKED.q" && xz -2 -T0 -c <"$PACKED.q" >"$PACKED" && rm "$PACKED.q"`,
			players: []contestant{ours, {
				name:  "xz -T0 -dc, qemu-img convert",
				shell: `xz -T0 -dc <"$PACKED" >"$PACKED.q" && qemu-img convert -n -W -m 8 -f qcow2 -O raw "$PACKED.q" "$DISK" && sync "$DISK" && rm "$PACKED.q"`,
			}},
		},
		{
			name: "http", pack: `zstd -q -T0 -c <"$IMAGE" >"$PACKED"`,
			players: []contestant{oursURL, {name: "curl | zstd -dc | dd", shell: `curl -sf "$URL" | zstd -q -dc | $WRITE`}},
		},
		{
			name: "http-limited", pack: `zstd -q -T0 -c <"$IMAGE" >"$PACKED"`, where: limited,
			players: []contestant{oursURL, {name: "curl | zstd -dc | dd", shell: `curl -sf "$URL" | zstd -q -dc | $WRITE`}},
		},
	}
}

// writer returns dd that writes its standard input to the disk. Nothing is left out on a
// disk that held other data.
func writer(kind string) string {
	if kind == "file" {
		return "dd bs=1M iflag=fullblock conv=sparse,fsync,notrunc status=none of=" // and the disk
	}
	return "dd bs=1M iflag=fullblock oflag=direct conv=fsync,notrunc status=none of="
}

// limited and serving are the network namespaces of the two ends of a slow line. Nothing
// of it is in the network of this machine.
const (
	limited = "snf-image-bench"
	serving = limited + "-server"
)

// The addresses of the ends.
const (
	serverAddress = "198.51.100.225"
	clientAddress = "198.51.100.226"
)

// limitedNetwork makes the line, which is as fast as a good one to a mirror.
func limitedNetwork() (down func(), err error) {
	down = func() { // with all that is in them
		_ = exec.Command("ip", "netns", "del", limited).Run()
		_ = exec.Command("ip", "netns", "del", serving).Run()
	}
	down()
	for _, line := range []string{
		"ip netns add " + limited,
		"ip netns add " + serving,
		"ip -n " + serving + " link add line0 type veth peer name line1 netns " + limited,
		"ip -n " + serving + " addr add " + serverAddress + "/30 dev line0",
		"ip -n " + serving + " link set line0 up",
		"ip -n " + limited + " addr add " + clientAddress + "/30 dev line1",
		"ip -n " + limited + " link set line1 up",
		"tc -n " + serving + " qdisc add dev line0 root tbf rate 200mbit burst 256kb latency 50ms",
	} {
		words := strings.Fields(line)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			down()
			return nil, fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	return down, nil
}
