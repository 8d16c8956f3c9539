#!/bin/sh
# Stands in for the script of the image andrewgaul/s3proxy: settings become properties, which no list of processes shows.
set -eu
here=$(dirname "$0")
umask 077
cat >"$STATE/s3proxy.properties" <<PROPERTIES
s3proxy.endpoint=$S3PROXY_ENDPOINT
s3proxy.authorization=$S3PROXY_AUTHORIZATION
s3proxy.identity=$S3PROXY_IDENTITY
s3proxy.credential=$S3PROXY_CREDENTIAL
jclouds.provider=$JCLOUDS_PROVIDER
jclouds.region=$JCLOUDS_REGION
jclouds.filesystem.basedir=$JCLOUDS_FILESYSTEM_BASEDIR
PROPERTIES
exec java $JAVA_SMALL "-Dlogback.configurationFile=$here/logback.xml" -cp "$JARS" org.gaul.s3proxy.Main \
    --properties "$STATE/s3proxy.properties"
