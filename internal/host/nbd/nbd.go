// Package nbd reaches disks that only a URI names, such as rbd:pool/disk: a
// qemu-nbd child opens the URI, and this client reads and writes through it by
// the NBD protocol (https://github.com/NetworkBlockDevice/nbd, doc/proto.md).
//
// The URI is never probed: its content is raw bytes. Nothing of a Server has a
// name in the file system while it serves, and it ends with this process. What
// a peer says is bounded and checked, and every call ends when the connection
// does.
package nbd

import "errors"

// Magic numbers, proto.md "Newstyle negotiation" and "Transmission phase".
const (
	magicInit       = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption     = 0x49484156454f5054 // "IHAVEOPT"
	magicReply      = 0x0003e889045565a9 // to an option
	magicRequest    = 0x25609513
	magicSimple     = 0x67446698
	magicStructured = 0x668e33ef
)

// Handshake flags.
const (
	fixedNewstyle = 1 << 0
	noZeroes      = 1 << 1
)

// Options and the types of replies to them.
const (
	optGo             = 7
	optStructured     = 8
	optSetMetaContext = 10

	repAck         = 1
	repInfo        = 3
	repMetaContext = 4
	repError       = 1 << 31

	infoExport = 0
)

// Transmission flags.
const (
	flagHasFlags   = 1 << 0
	flagReadOnly   = 1 << 1
	flagFlush      = 1 << 2
	flagZeroes     = 1 << 6
	flagDontFrag   = 1 << 7
	flagFastZeroes = 1 << 11
)

// Commands and their flags.
const (
	cmdRead   = 0
	cmdWrite  = 1
	cmdDisc   = 2
	cmdFlush  = 3
	cmdZeroes = 6
	cmdStatus = 7

	cmdDontFrag = 1 << 2
	cmdFastZero = 1 << 4
)

// Chunks of structured replies.
const (
	chunkDone = 1 << 0 // a flag: the last of its reply

	chunkNone   = 0
	chunkData   = 1
	chunkHole   = 2
	chunkStatus = 5
	chunkError  = 1 << 15 // this bit: some error
)

// stateZero is the bit of base:allocation that says: reads as zero.
const stateZero = 1 << 1

// Bounds.
const (
	// MaxPayload is the most that one request carries; every server takes it
	// (proto.md "Block size constraints").
	MaxPayload = 4 << 20

	maxText    = 4096              // of an error, proto.md "Values"
	maxOption  = 8 + maxText       // data of a reply to an option
	maxReplies = 64                // to one option
	maxStatus  = 4 + 8*(1<<17)     // a chunk of block status
	maxZero    = 1<<32 - 1<<20     // one command's length is a 32-bit number
	maxSize    = 1<<63 - 1 - 1<<40 // of an export
)

// ErrProtocol is a breach of the protocol by the peer.
var ErrProtocol = errors.New("the NBD server broke the protocol")

// ErrGone is the end of the connection.
var ErrGone = errors.New("the NBD server closed the connection")

// Export is a disk as the handshake describes it. With it the transmission
// phase can be taken up by another process that is handed the connection.
type Export struct {
	Size  int64  `json:"size"`
	Flags uint16 `json:"flags"`
	// Structured means that replies come in chunks, Allocation that Context is
	// the id under which the server tells what is allocated.
	Structured bool   `json:"structured"`
	Allocation bool   `json:"allocation"`
	Context    uint32 `json:"context"`
}

// ReadOnly reports whether the disk cannot be written.
func (e Export) ReadOnly() bool { return e.Flags&flagReadOnly != 0 }

func (e Export) has(flag uint16) bool { return e.Flags&flag != 0 }
