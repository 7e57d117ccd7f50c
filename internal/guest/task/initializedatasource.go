package task

import (
	"context"
	"errors"

	"snf-image/internal/guest/account"
	"snf-image/internal/guest/cloudinit"
	"snf-image/internal/guest/identity"
	"snf-image/internal/guest/netconf"
	"snf-image/internal/guest/network"
	"snf-image/internal/guest/outcome"
	"snf-image/internal/guest/personality"
	"snf-image/internal/spec"
)

// initializeDatasource makes the seed from which cloud-init configures the machine. The tasks
// after it add their settings.
func initializeDatasource(_ context.Context, r *Run) error {
	if !r.Plan.CloudInit {
		return Skip("the property CLOUD_INIT is not set to yes")
	}
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	i := cloudinit.Instance{ID: r.Plan.InstanceID, Keep: r.kept(), Debug: r.Plan.CloudInitDebug}
	if r.wanted(spec.AssignHostname) {
		i.Hostname = r.Plan.InstanceName
	}
	if c := r.Credentials; c != nil {
		i.UserData = []byte(c.UserData.Reveal())
		if r.wanted(spec.ChangePassword) {
			i.Keys = c.AuthorizedKeys
		}
	}
	return d.Initialize(i)
}

// checkDatasource finds out, without writing, what initializeDatasource would fail with.
func checkDatasource(r *Run) error {
	if !r.Plan.CloudInit {
		return nil
	}
	if _, err := cloudinit.Find(r.guest()); err != nil {
		return err
	}
	return cloudinit.CheckEnable(r.Root)
}

// kept returns the tasks whose work nobody is to do: cloud-init would otherwise. It knows by itself
// whether the users are its business.
func (r *Run) kept() []string {
	var tasks []string
	if !r.wanted(spec.AssignHostname) || r.Plan.InstanceName == "" {
		tasks = append(tasks, spec.AssignHostname)
	}
	if !r.wanted(spec.DeleteSSHKeys) {
		tasks = append(tasks, spec.DeleteSSHKeys)
	}
	if _, err := wantedInterfaces(r.Plan); !r.wanted(spec.ConfigureNetwork) || errors.Is(err, netconf.ErrLeave) {
		tasks = append(tasks, spec.ConfigureNetwork)
	}
	return tasks
}

// noDatasource is initializeDatasource for other systems.
func noDatasource(_ context.Context, r *Run) error {
	return outcome.Advise(errors.New("the cloud-init mode is for Linux, not for "+r.family()), "leave out the property CLOUD_INIT")
}

// swapByCloudInit has cloud-init make a swap file instead of a partition.
func swapByCloudInit(r *Run) error {
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	return d.AddSwap(r.Plan.Swap.MiB)
}

func hostnameByCloudInit(r *Run) error {
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	return d.SetHostname(r.Plan.InstanceName)
}

// loginByCloudInit leaves passwords and new users to cloud-init. Keys of users that are there
// are installed now: what user-data says about users does not touch them.
func loginByCloudInit(r *Run, change account.Change) error {
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	users, missing, err := account.Known(r.guest(), change.Users, change.Create, d.Makes)
	if err != nil {
		return err
	}
	err = d.SetLogin(cloudinit.Login{Users: users, Missing: missing, Hashes: change.Hashes, Keys: change.Keys, AllowSSH: change.AllowSSH})
	if err != nil {
		return err
	}
	return later(change, users).Apply(r.guest())
}

// checkLoginByCloudInit finds out, without writing, what loginByCloudInit would fail with.
func checkLoginByCloudInit(r *Run, change account.Change) error {
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	users, _, err := account.Known(r.guest(), change.Users, change.Create, d.Makes)
	if err != nil {
		return err
	}
	return later(change, users).Check(r.guest())
}

// later is the part of a change that is not left to cloud-init.
func later(change account.Change, users []string) account.Change {
	change.Users, change.Create, change.Later = users, false, true
	return change
}

// networkByCloudInit has cloud-init tell netplan. With any other network configuration system,
// and where cloud-init cannot say what is wanted, that is told at once and cloud-init keeps away.
func networkByCloudInit(r *Run, interfaces []netconf.Interface) error {
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	if !keyfiles(r.Plan) && d.Config.RendersNetplan(r.Root) {
		if done, err := network.Seed(r.guest(), interfaces, cloudinit.NetworkConfig); done || err != nil {
			return err
		}
	}
	if err := network.Configure(r.guest(), interfaces, keyfiles(r.Plan)); err != nil {
		return err
	}
	return d.LeaveNetwork()
}

// hostKeysByCloudInit puts the host keys in place, wherever the SSH server looks for them, and
// has cloud-init, which removes those of images, do the same.
func hostKeysByCloudInit(r *Run) error {
	if err := identity.ReplaceHostKeys(r.guest(), r.hostKeys()); err != nil {
		return err
	}
	d, err := cloudinit.Find(r.guest())
	if err != nil {
		return err
	}
	return d.ReplaceHostKeys(r.hostKeys())
}

// personalityByCloudInit leaves the files beside, for the first boot: then the users exist.
func personalityByCloudInit(r *Run) error {
	return personality.Inject(r.Root, cloudinit.Staged(r.Root, r.Credentials.Files, r.Plan.CloudInitDebug))
}
