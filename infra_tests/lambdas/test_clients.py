import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from lambdas.clients import LazyClients


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@mock_aws
def test_a_service_has_one_client() -> None:
    clients = LazyClients()
    assert clients("sqs") is clients("sqs")


@mock_aws
def test_time_in_services_counts_answers_and_errors_and_nothing_else() -> None:
    clients = LazyClients()
    queues = clients("sqs")
    assert clients.waited_s == 0.0
    queues.list_queues()
    after_answer = clients.waited_s
    assert after_answer > 0.0
    with pytest.raises(ClientError):
        queues.get_queue_url(QueueName="absent")
    assert clients.waited_s > after_answer
