package task

import (
	"context"

	"snf-image/internal/guest/account"
	"snf-image/internal/guest/windows"
)

const secondsOfDay = 24 * 60 * 60

// changePassword sets the credentials of the users in USERS: password hash,
// authorized keys or both.
func changePassword(_ context.Context, r *Run) error {
	change, ok := r.login()
	if !ok {
		return Skip("neither password nor keys are to be set")
	}
	if r.Plan.CloudInit {
		return loginByCloudInit(r, change)
	}
	return change.Apply(r.guest())
}

// changeWindowsPassword has Windows give the users in USERS the password at its first boot.
func changeWindowsPassword(_ context.Context, r *Run) error {
	c := r.credentials()
	if len(c.AuthorizedKeys) > 0 {
		r.Warn("auth_keys are not set: Windows has no use for them")
	}
	if c.Password == nil {
		return Skip("no password is to be set")
	}
	if err := r.prepared(); err != nil {
		return err
	}
	users, err := r.windowsUsers()
	if err != nil {
		return err
	}
	return windows.SetPasswords(r.guest(), r.windowsSystem(), users, *c.Password)
}

// windowsUsers returns the users whose password is set.
func (r *Run) windowsUsers() ([]string, error) {
	if !r.Plan.AssumesUsers {
		return r.Plan.Users, nil
	}
	user, err := windows.DefaultUser(r.Root)
	if err != nil {
		return nil, err
	}
	r.Warn("the property USERS is not set: the password is that of %s", user)
	return []string{user}, nil
}

// checkLogin finds out, without writing, what changePassword would fail with.
func checkLogin(r *Run) error {
	change, _ := r.login()
	if r.Plan.CloudInit {
		return checkLoginByCloudInit(r, change)
	}
	return change.Check(r.guest())
}

// login returns the change of the accounts, if there is any.
func (r *Run) login() (change account.Change, ok bool) {
	change.Users = r.Plan.Users
	c := r.Credentials
	if c == nil || c.Hashes == nil && len(c.AuthorizedKeys) == 0 {
		return change, false
	}
	change.Create, change.AllowSSH = r.Plan.CreateUsers, r.Plan.SSHPasswordLogin
	change.Hashes, change.Keys, change.Day = c.Hashes, c.AuthorizedKeys, r.Plan.UnixTime/secondsOfDay
	return change, true
}
