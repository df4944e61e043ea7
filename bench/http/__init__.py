"""Our gateway's cached reads beside Express and Fastify, same machine, same run. `python -m bench.http`."""
