"""The world outside, over HTTP only: no database, no queue, no meaning.

One door (`client.HttpClient`), one error tree (`errors`), one module a system.
"""
