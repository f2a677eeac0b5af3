"""files.py PORT USER KEY CODES: carries `near` to `far/tree` and that back to `back`."""

import os
import sys

import paramiko

port, user, key, codes = sys.argv[1:]
with open(codes) as file:
    code = file.readline().strip()
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", int(port), user, key_filename=key, look_for_keys=False, allow_agent=False)
channel = client.get_transport().open_session()
channel.set_environment_variable("LC_OTP", code)
channel.invoke_subsystem("sftp")
sftp = paramiko.SFTPClient(channel)
here = os.getcwd()
sftp.mkdir(here + "/far/tree")
os.mkdir("back")
for folder, folders, files in os.walk("near"):
    below = os.path.relpath(folder, "near")
    for name in folders:
        sftp.mkdir(os.path.normpath(os.path.join(here, "far/tree", below, name)))
        os.mkdir(os.path.join("back", below, name))
    for name in files:
        far = os.path.normpath(os.path.join(here, "far/tree", below, name))
        sftp.put(os.path.join(folder, name), far)
        sftp.get(far, os.path.join("back", below, name))
client.close()
