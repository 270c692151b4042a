"""One unary call by gRPC's C core: PORT PATH REQUEST-FILE REPLY-FILE [CERTIFICATE KEY]. Prints the status where there is no reply."""

import socket
import ssl
import sys

import grpc


def channel(port, certificate=None, key=None):
    address = f"127.0.0.1:{port}"
    if certificate is None:
        return grpc.insecure_channel(address)
    # This library cannot be told to believe any server, as Occlum's is: it gets the server's own certificate as its root.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate, key)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", int(port)))) as first:
        root = ssl.DER_cert_to_PEM_cert(first.getpeercert(True)).encode()
    with open(key, "rb") as own_key, open(certificate, "rb") as own:
        credentials = grpc.ssl_channel_credentials(root, own_key.read(), own.read())
    return grpc.secure_channel(address, credentials, (("grpc.ssl_target_name_override", "localhost"),))


port, path, request, reply, *identity = sys.argv[1:]
call = channel(port, *identity).unary_unary(path, lambda message: message, lambda message: message)
try:
    with open(request, "rb") as message, open(reply, "wb") as answer:
        answer.write(call(message.read(), timeout=4))
except grpc.RpcError as error:
    sys.exit(f"{error.code()} {error.details()}")
