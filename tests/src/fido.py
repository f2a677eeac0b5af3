"""fido.py SOCKET: makes a key as a FIDO token would hold it, prints its public
half and signs with it as ssh-agent does (draft-ietf-sshm-ssh-agent), touched each time."""

import base64
import hashlib
import socketserver
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TYPE = b"sk-ssh-ed25519@openssh.com"
APPLICATION = b"ssh:"
TOUCHED = 1
IDENTITIES, SIGN, FAILURE = 11, 13, b"\x05"


def string(data):
    return struct.pack(">I", len(data)) + data


key = Ed25519PrivateKey.generate()
blob = string(TYPE) + string(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)) + string(APPLICATION)


def sign(data):
    """A signature as PROTOCOL.u2f of OpenSSH describes it."""
    facts = struct.pack(">BI", TOUCHED, 1)
    digest = hashlib.sha256(APPLICATION).digest() + facts + hashlib.sha256(data).digest()
    return string(TYPE) + string(key.sign(digest)) + facts


def answer(request):
    if request[0] == IDENTITIES:
        return b"\x0c" + struct.pack(">I", 1) + string(blob) + string(b"token")
    if request[0] == SIGN and request[1:].startswith(string(blob)):
        rest = request[1 + len(string(blob)) :]
        length = struct.unpack(">I", rest[:4])[0]
        return b"\x0e" + string(sign(rest[4 : 4 + length]))
    return FAILURE


class Agent(socketserver.StreamRequestHandler):
    def handle(self):
        while len(head := self.rfile.read(4)) == 4:
            self.wfile.write(string(answer(self.rfile.read(struct.unpack(">I", head)[0]))))


with socketserver.ThreadingUnixStreamServer(sys.argv[1], Agent) as server:
    print(TYPE.decode(), base64.b64encode(blob).decode(), flush=True)
    server.serve_forever()
