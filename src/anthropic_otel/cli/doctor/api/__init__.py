"""Checks the connection to the API, with the SDK's own client.

base_url.py, proxies.py, authorities.py, key.py   what the environment sets, before anything is sent
names.py         the look-up of the host name, and a connect to each address
request.py       one request by the SDK's own client; steps.py the steps that its transport reports
verdicts.py      the findings about the steps; answers.py about the response; remedies.py what to do, by cause
clock.py         this machine's clock, by the response
certificates.py  reads a certificate that was refused; refused_certificates.py why it was
connection.py    all of it, in order
"""
