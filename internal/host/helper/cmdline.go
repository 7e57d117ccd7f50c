package helper

import "strings"

// Cmdline is the kernel command line every helper boots with: the console, an end at
// once after an oops or a panic, and no self-tests of the crypto algorithms (0.5 CPU s
// on TCG).
//
// A kernel that has oopsed ends what was running and goes on, without the locks that
// holds: the helper would wait for nothing until a time limit. So an oops is a panic,
// and a panic resets the machine, which ends QEMU (-no-reboot).
const Cmdline = "console=ttyS0 quiet oops=panic panic=-1 cryptomgr.notests"

// CmdlineTCG returns what to add to Cmdline where the helper runs on TCG. On KVM
// it would save some milliseconds; there the kernel boots as its makers meant.
//
// Measured with the cloud kernel 6.1 by medians of the same-round ratios of CPU
// time to a boot without: all three together 0.89, the list of initcalls alone
// 0.96. Tried and of no use: nolapic_timer (spares 0.2 s of busy calibration,
// loses it to the HPET's ticks), retain_initrd, mitigations=off, nokaslr,
// audit=0, rcupdate.rcu_expedited=1, tsc=reliable, apparmor=0.
func CmdlineTCG() string {
	return strings.Join([]string{
		// Leaves the lock prefixes of a single processor's kernel in place:
		// each patch makes TCG translate the code again.
		"noreplace-smp",
		// On a busy node the ticks come too late for the kernel's test of its
		// timer, and it panics ("IO-APIC + timer doesn't work").
		"no_timer_check",
		// Does not clear each page and object when it is allocated.
		"init_on_alloc=0",
		"initcall_blacklist=" + strings.Join(skippedInitcalls, ","),
	}, " ")
}

// skippedInitcalls set up tracing, functions for BPF programs (the first of those that
// runs parses the kernel's type information, 7 % of all instructions of a boot), and
// cryptography: a random number generator from processor jitter, which the kernel's own
// does without, a self-test that cryptomgr.notests does not reach, and the certificates
// for signatures of modules. The helper traces nothing, loads no BPF program, and its
// modules are in the initramfs that the host verified; that they count as unsigned marks
// the kernel as tainted, no more. A name the kernel does not have is ignored.
//
// Measured with the cloud kernel 6.12: those of cryptography 0.93.
var skippedInitcalls = []string{
	"trace_eval_init", "init_blk_tracer", "init_kprobe_trace", "tracer_init_tracefs",
	"cubictcp_register", "bpf_rstat_kfunc_init", "bpf_key_sig_kfuncs_init", "kfunc_init",
	"bpf_prog_test_run_init", "bpf_tcp_ca_kfunc_init",
	"jent_mod_init", "crypto_kdf108_init", "load_system_certificate_list",
}
