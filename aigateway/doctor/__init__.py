"""`aigateway doctor`: what lies between somebody's machine and a gateway, tried piece by piece.

catalogue                       every check and every trouble, with what it means and what to do
results                         what was found, for people and for machines
address, proxies                the base URL and the proxy variables, read as clients read them
question                        what is asked about which gateway, and with what patience
dialing, certificates           names, ports, proxies' tunnels, TLS: before a key is sent
answers, streams                answers and event streams, judged: pure functions
requests, clients, traps        what is sent, what each client would send, and what it makes of what it is given
checks, client_checks           the checks
run                             all of them, side by side, within a time and a token budget
page                            docs/doctor.md, from the catalogue
"""
