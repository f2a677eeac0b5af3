"""signals.py PORT USER KEY: runs each line of standard input, CODE<TAB>COMMAND,
in a session of its own over one connection, and prints how the server says it ended."""

import sys

import paramiko

port, user, key = sys.argv[1:]


class Channel(paramiko.Channel):
    """One that remembers the ending; paramiko itself drops signals."""

    ending = "nothing"

    def _handle_request(self, message):
        position = message.packet.tell()
        name = message.get_text()
        message.get_boolean()
        if name == "exit-status":
            self.ending = "status %d" % message.get_int()
        elif name == "exit-signal":
            self.ending = "signal %s core=%s" % (message.get_text(), message.get_boolean())
        message.packet.seek(position)
        super()._handle_request(message)


paramiko.transport.Channel = Channel
# paramiko calls what stands in this table.
paramiko.Transport._channel_handler_table[paramiko.common.MSG_CHANNEL_REQUEST] = Channel._handle_request
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", int(port), user, key_filename=key, look_for_keys=False, allow_agent=False)
for line in sys.stdin:
    code, command = line.rstrip("\n").split("\t")
    channel = client.get_transport().open_session()
    channel.set_combine_stderr(True)
    if code:
        channel.set_environment_variable("LC_OTP", code)
    channel.exec_command(command)
    channel.shutdown_write()
    said = channel.makefile().read().decode()
    # The server says how it ended before it closes the channel.
    channel.recv_exit_status()
    print(channel.ending, repr(said))
