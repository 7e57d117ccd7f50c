"""Has the cloud-init of this system read what snf-image wrote for it.

readseeds.py DIRECTORY: below it lie seeds/NAME, each with etc/cloud/cloud.cfg.d and a seed, and
networks/NAME, network configurations. Every problem, warnings and deprecations included, ends
it. Prints what became of the users of each seed."""
import copy, json, logging, os, sys

from cloudinit import util
from cloudinit.config import schema
from cloudinit.distros import fetch, ug_util
from cloudinit.net import netplan, network_state


class Loud(logging.Handler):
    def emit(self, record):
        if "using netplan python module" in record.getMessage():
            return  # it wants a running system; cloud-init writes the file itself then
        sys.exit("%s: %s" % (case, record.getMessage()))


class Datasource:
    def get_hostname(self, **_):
        return "of the datasource"


def seed(top):
    cfg = util.read_conf_with_confd(top + "/etc/cloud/cloud.cfg")
    assert cfg["datasource_list"] == ["NoCloud"], cfg["datasource_list"]
    ours = {k: v for k, v in cfg.items() if k not in ("datasource_list", "system_info", "network")}
    if hasattr(schema, "get_schema"):
        schema.validate_cloudconfig_schema(ours, schema=schema.get_schema(), strict=True)
    distro = fetch("debian")("debian", cfg["system_info"], None)
    users, _ = ug_util.normalize_users_groups(copy.deepcopy(cfg), distro)
    files = util.pathprefix2dict(top + "/var/lib/cloud/seed/nocloud-net", required=["user-data", "meta-data"])
    meta = util.load_yaml(files["meta-data"])
    assert meta["instance-id"] == "i-1", meta
    if "fqdn" in cfg:
        name, fqdn = list(util.get_hostname_fqdn(cfg, Datasource()))[:2]
        assert name == fqdn == meta["local-hostname"], (name, fqdn)
    words = []
    for name, user in sorted(users.items()):
        words.append("%s lock=%s hash=%s keys=%d" % (
            name, user.get("lock_passwd"), user.get("hashed_passwd"), len(user.get("ssh_authorized_keys") or [])))
    return words


def network(path):
    given = util.load_yaml(open(path).read())
    assert given["version"] == 2, given
    target = path + ".out"
    os.makedirs(target + "/etc/netplan")
    renderer = netplan.Renderer({"netplan_path": "etc/netplan/50-cloud-init.yaml", "postcmds": False})
    try:
        state = network_state.parse_net_config_data(copy.deepcopy(given), renderer=renderer)
    except TypeError:
        state = network_state.parse_net_config_data(copy.deepcopy(given))
    renderer.render_network_state(state, target=target)
    file = "/etc/netplan/50-cloud-init.yaml"
    if not os.path.exists(file):  # newer ones have netplan's library write it, which knows no target
        file = target + file
    made = util.load_yaml(open(file).read())["network"]
    os.remove(file)
    for c in (given, made):
        c.pop("renderer", None)
    assert made == given, "%s became %s" % (given, made)


top = sys.argv[1]
logging.getLogger().addHandler(Loud(logging.WARNING))
for case in sorted(os.listdir(top + "/seeds")):
    print(case + ": " + "; ".join(seed(top + "/seeds/" + case)))
for case in sorted(os.listdir(top + "/networks")):
    network(top + "/networks/" + case)
