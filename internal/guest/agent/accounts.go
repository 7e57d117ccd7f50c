package agent

import (
	"snf-image/internal/guest/account"
	"snf-image/internal/guest/sshd"
	"snf-image/internal/report"
)

// accounts describes how somebody can log in to the accounts of an image.
func accounts(states []account.State) []report.Account {
	var out []report.Account
	for _, s := range states {
		a := report.Account{Name: s.Name, Password: string(s.Password), Keys: s.Keys, Expired: s.Expired}
		if s.NoShell {
			a.NoShell = s.Shell
		}
		if s.SSH {
			a.SSHPassword, a.SSHKeys = verdict(s.SSHPassword), verdict(s.SSHKeys)
		}
		out = append(out, a)
	}
	return out
}

func verdict(v sshd.Verdict) string {
	switch v.Access {
	case sshd.Allowed:
		return report.Taken
	case sshd.Sometimes:
		return "from some connections only: " + v.Because
	}
	return "no: " + v.Because
}
