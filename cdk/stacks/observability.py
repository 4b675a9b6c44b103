"""What watches over Breakwater: alarms that a person hears of, and a dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as http
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.names import pascal
from cdk.proposal_page import failures
from cdk.settings import NONE, Settings
from cdk.stacks.data import DataStack
from lambdas.registry import FUNCTIONS, PAGE

_PERIOD = Duration.minutes(5)
#: A message that waits so long is late, whatever the cause.
_OLDEST_SECONDS = 900
_ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD


class ObservabilityStack(Stack):
    """Alarms: something was lost, late, failing, held back, or nothing comes at all."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        data: DataStack,
        functions: Mapping[str, lambda_.Function],
        page_api: http.CfnApi | None = None,
        **stack: Any,
    ) -> None:
        super().__init__(scope, construct_id, **stack)
        self._action = actions.SnsAction(data.topic)
        self._names = data.names
        for spec in FUNCTIONS:
            fed, function, title = data.queues[spec.queue], functions[spec.name], pascal(spec.name)
            waiting = fed.dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD, statistic="Maximum")
            oldest = fed.queue.metric_approximate_age_of_oldest_message(period=_PERIOD, statistic="Maximum")
            self._alarm(f"{title}DeadLetters", waiting, 0, f"{spec.name}: messages that could not be handled.")
            self._alarm(f"{title}Late", oldest, _OLDEST_SECONDS, f"{spec.name}: a message waits for a quarter of an hour.")
            self._alarm(f"{title}Errors", function.metric_errors(period=_PERIOD), 0, f"{spec.name} fails.")
            self._alarm(f"{title}Throttles", function.metric_throttles(period=_PERIOD), 0, f"{spec.name} is held back.")
        if page_api is not None:
            page, title = functions[PAGE.name], pascal(PAGE.name)
            self._alarm(f"{title}Errors", page.metric_errors(period=_PERIOD), 0, f"{PAGE.name} fails.")
            self._alarm(f"{title}Throttles", page.metric_throttles(period=_PERIOD), 0, f"{PAGE.name} is held back.")
            self._alarm(f"{title}Unanswered", failures(page_api.ref, _PERIOD), 0, "A link to a proposal could not be opened.")
        for name in self._heartbeats(settings):
            self._heartbeat(name, functions[name])
        self._dashboard(data, functions)

    @staticmethod
    def _heartbeats(settings: Settings) -> list[str]:
        """Functions that are never idle for an hour where their telemetry is on; findings and responses may well be rare."""
        beating = ["expire_containments"]
        if settings.trail != NONE:
            beating.append("detect_api_calls")
        if settings.flow_log_vpcs:
            beating.append("detect_flows")
        if settings.log_groups:
            beating.append("detect_system_logs")
        return beating

    def _heartbeat(self, name: str, function: lambda_.Function) -> None:
        """Silence is an alarm: telemetry that stopped looks exactly like an account without intruders."""
        alarm = cloudwatch.Alarm(
            self,
            f"{pascal(name)}Silent",
            alarm_name=self._names.resource(f"{name}-silent"),
            alarm_description=f"{name} was not called for an hour: its telemetry stopped.",
            metric=function.metric_invocations(period=Duration.hours(1), statistic="Sum"),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        alarm.add_alarm_action(self._action)

    def _alarm(self, name: str, metric: cloudwatch.IMetric, threshold: float, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._names.resource("".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")),
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=_ABOVE,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._action)

    def _dashboard(self, data: DataStack, functions: Mapping[str, lambda_.Function]) -> None:
        rows = []
        for spec in FUNCTIONS:
            function, fed = functions[spec.name], data.queues[spec.queue]
            title = spec.name.replace("_", " ")
            left = [function.metric_invocations(period=_PERIOD), function.metric_errors(period=_PERIOD)]
            depth = fed.queue.metric_approximate_number_of_messages_visible(period=_PERIOD)
            dead = fed.dead_letters.metric_approximate_number_of_messages_visible(period=_PERIOD)
            rows.append(
                [
                    cloudwatch.GraphWidget(title=f"{title}: calls and errors", left=left, width=8),
                    cloudwatch.GraphWidget(
                        title=f"{title}: duration",
                        left=[function.metric_duration(period=_PERIOD, statistic=part) for part in ("p50", "p99")],
                        width=8,
                    ),
                    cloudwatch.GraphWidget(title=f"{spec.queue}: waiting and dead letters", left=[depth, dead], width=8),
                ]
            )
        cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._names.prefix, widgets=rows)
