"""How the examples reach the server."""

import argparse

import boto3
from botocore.config import Config

import catalogue


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--endpoint-url", default="http://127.0.0.1:8000")
    parser.add_argument("--table", default=catalogue.TABLE)
    return parser


def connect(endpoint_url):
    # Any credentials do: the server accepts all of them on a loopback address.
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="varve",
        aws_secret_access_key="varve",
        config=Config(retries={"mode": "standard", "max_attempts": 3}),
    )
