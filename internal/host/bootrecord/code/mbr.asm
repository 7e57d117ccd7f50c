# mbr.asm - boot code for the master boot record of a disk with one partition
#
# For the GNU assembler, and not called .s, which Go would take for its own:
#
#	as --32 -o mbr.o mbr.asm && objcopy -O binary mbr.o mbr.bin
#
# The firmware loads the first sector of the disk to 0000:7c00 and jumps there with the
# number of the drive in DL (BIOS Boot Specification 1.01, section 6.5). The code moves out
# of the way, loads the first sector of the active partition to the same place, and jumps
# to it with DL as it was and DS:SI at the partition's entry in the table.

	.intel_syntax noprefix
	.code16

	.equ	LOADED, 0x7c00		# where a boot sector is loaded to
	.equ	HERE, 0x0600		# where this code moves to
	.equ	TABLE, HERE + 0x1be	# the partition table
	.equ	MARK, 0xaa55		# at the end of each boot sector
	.equ	TRIES, 4

	.text
start:
	cli
	xor	ax, ax
	mov	ss, ax
	mov	sp, LOADED
	mov	ds, ax
	mov	es, ax
	sti
	cld
	mov	si, LOADED
	mov	di, HERE
	mov	cx, 256
	rep movsw
	.byte	0xea			# jmp 0:moved
	.word	HERE + moved - start, 0

moved:
	test	dl, 0x80		# some firmware passes no drive:
	jnz	find
	mov	dl, 0x80		# it is the first disk then
find:
	mov	bp, TABLE
	mov	cx, 4
next:
	cmp	byte ptr [bp], 0x80
	je	active
	add	bp, 16
	loop	next
	mov	si, HERE + none - start
	jmp	fail

# BP is at the entry of the active partition.
active:
	mov	di, TRIES
read:
	push	dx
	mov	ah, 0x41		# are there the extensions of INT 13h?
	mov	bx, 0x55aa
	int	0x13
	pop	dx
	jc	geometry
	cmp	bx, 0xaa55
	jne	geometry
	test	cl, 1			# and those for packets?
	jz	geometry

# A packet on the stack: its size, one sector, to 0000:7c00, from this sector on.
	push	0
	push	0
	push	word ptr [bp + 10]
	push	word ptr [bp + 8]
	push	0
	push	LOADED
	push	1
	push	16
	mov	ah, 0x42
	mov	si, sp
	int	0x13
	lahf				# the carry flag is the result
	add	sp, 16
	sahf
	jnc	loaded
	jmp	again

# Without the extensions: by cylinder, head and sector, in the firmware's own geometry of
# the disk. That in the table is only what other programs expect there.
geometry:
	push	di
	push	dx
	mov	ah, 8
	int	0x13
	mov	bl, dh			# the last head
	pop	dx
	pop	di
	push	0
	pop	es			# which the firmware has changed
	jc	again
	xor	bh, bh
	inc	bx			# heads
	and	cx, 0x3f		# sectors of a track
	jz	again
	push	dx
	mov	ax, [bp + 8]
	mov	dx, [bp + 10]
	cmp	dx, cx
	jae	far			# the quotient would not fit
	div	cx			# AX: track, DX: sector from 0 on
	mov	cl, dl
	inc	cx
	xor	dx, dx
	div	bx			# AX: cylinder, DX: head
	cmp	ax, 1023
	ja	far
	mov	ch, al
	shl	ah, 6
	or	cl, ah
	pop	bx
	mov	dh, dl
	mov	dl, bl			# the drive
	mov	bx, LOADED
	mov	ax, 0x0201
	int	0x13
	jnc	loaded
	jmp	again
far:
	pop	dx
	mov	di, 1			# no use in trying again
again:
	xor	ah, ah			# reset the disk and try again
	int	0x13
	dec	di
	jnz	read
	mov	si, HERE + unread - start
	jmp	fail

loaded:
	mov	si, HERE + empty - start
	cmp	word ptr [LOADED + 510], MARK
	jne	fail
	mov	si, bp
	.byte	0xea			# jmp 0:LOADED
	.word	LOADED, 0

# Say what is at SI, and let the firmware go on with the next device.
fail:
	lodsb
	test	al, al
	jz	leave
	mov	ah, 0x0e
	mov	bx, 7
	int	0x10
	jmp	fail
leave:
	int	0x18
stop:
	hlt
	jmp	stop

none:	.asciz	"No active partition\r\n"
unread:	.asciz	"The active partition cannot be read\r\n"
empty:	.asciz	"The active partition has no boot loader\r\n"
