"""What both comparisons write for `bao agent`, in its own language."""

HEAD = """\
vault {{
  address = "{address}"
  ca_cert = "{ca_file}"
}}
auto_auth {{
  method "approle" {{
    config = {{
      role_id_file_path = "{space}/role-id"
      secret_id_file_path = "{space}/secret-id"
      remove_secret_id_file_after_reading = false
    }}
  }}
}}
template_config {{ static_secret_render_interval = "{refresh}" }}
"""
FILE = """\
template {{
  contents = "{{{{ with secret \\"%s\\" }}}}%s{{{{ end }}}}"
  destination = "%s"
%s}}
"""


def field(name):
    """A field of a secret, in a template that is to be formatted."""
    return "{{{{ %s }}}}" % name


def file(secret, text, destination, perms=None):
    """A file of the agent's, to be formatted as the head is."""
    return FILE % (secret, text, destination, f'  perms = "{perms}"\n' if perms else "")
