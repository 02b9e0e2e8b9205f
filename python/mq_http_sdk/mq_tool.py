"""Loggers, for the `logger` of an `MQClient`."""

from __future__ import annotations

import logging
import logging.handlers

from .mq_exception import MQClientParameterException

__all__ = ["MQLogger"]


class MQLogger:
    @staticmethod
    def get_logger(
        log_name: str | None = None, log_file: str | None = None, log_level: int = logging.INFO
    ) -> logging.Logger:
        """The logger `mq_python_sdk`, or `log_name`. It writes a file only if `log_file` names one."""
        MQLogger.validate_loglevel(log_level)
        logger = logging.getLogger(log_name or "mq_python_sdk")
        if log_file is not None and not logger.handlers:
            handler = logging.handlers.RotatingFileHandler(log_file, maxBytes=10 * 1024 * 1024)
            layout = "[%(asctime)s] [%(name)s] [%(levelname)s] [%(filename)s:%(lineno)d] [%(thread)d] %(message)s"
            handler.setFormatter(logging.Formatter(layout, "%Y-%m-%d %H:%M:%S"))
            logger.addHandler(handler)
        logger.setLevel(log_level)
        return logger

    @staticmethod
    def validate_loglevel(log_level: int) -> None:
        levels = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
        if log_level not in levels:
            raise MQClientParameterException("LogLevelInvalid", f"{log_level!r} is none of the levels {levels}")
